"""Operators: what one layer of a model computes, and how much of it, for one sample."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field

from edgesim.common.validation import spec

Amount = Annotated[int, Field(strict=True, ge=0, lt=1 << 62)]
"""Whole number of elements, operations or pixels; 64 bits hold sums of two."""
Size = Annotated[int, Field(strict=True, ge=1, lt=1 << 31)]
"""Whole number of which there is at least one, such as channels."""

BYTES_PER_ELEMENT: dict[str, float] = {
    "fp64": 8.0,
    "fp32": 4.0,
    "tf32": 4.0,
    "fp16": 2.0,
    "bf16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.5,
}
"""Bytes that one weight or activation takes, by precision name."""


class OpKind(StrEnum):
    """Kinds of operator that devices tell apart, because their efficiency differs.

    A kind that multiplies matrices says what activations are multiplied by. Calibration, profiles,
    runtimes and accelerators ask for nothing else to treat a new one.

    Attributes:
        operand: second operand of its products; None where it multiplies no matrices.
    """

    _value_: str
    operand: Literal["weights", "kernels", "activations"] | None

    def __new__(
        cls, value: str, operand: Literal["weights", "kernels", "activations"] | None = None
    ) -> Self:
        """Make a member from its name and its operand."""
        kind = str.__new__(cls, value)
        kind._value_, kind.operand = value, operand
        return kind

    LINEAR = "linear", "weights"
    """Product of activations with a weight matrix."""
    ATTENTION = "attention", "activations"
    """Product of two activations: QKᵀ, and the attention matrix with V."""
    CONV = "conv", "kernels"
    """Convolution with groups of more than one input channel."""
    DEPTHWISE = "depthwise", "kernels"
    """Convolution with one input channel in each group."""
    NORM = "norm"
    """Layer or group normalisation: statistics of each sample first, then scale and shift."""
    BATCHNORM = "batchnorm"
    """Batch normalisation at inference: a scale and a shift that are known beforehand."""
    SOFTMAX = "softmax"
    ACTIVATION = "activation"
    """Pointwise nonlinearity of comparisons and products: ReLU, hard-swish."""
    TRANSCENDENTAL = "transcendental"
    """Pointwise nonlinearity that takes an exponential or error function: GELU, SiLU, sigmoid."""
    ELEMENTWISE = "elementwise"
    """Pointwise arithmetic: residual sums, bias, scale."""
    POOL = "pool"
    """Pooling and reductions."""
    MEMORY = "memory"
    """Moves data without arithmetic: copy, concatenation, token and position handling."""
    GENERIC = "generic"
    """Work of an explicit task graph, of which only the FLOP count is known."""

    @property
    def is_product(self) -> bool:
        """Whether it multiplies matrices: its efficiency is a share of the peak."""
        return self.operand is not None

    @property
    def has_weights(self) -> bool:
        """Whether it multiplies by weights, which all samples of a batch share."""
        return self.operand in ("weights", "kernels")

    @property
    def is_convolution(self) -> bool:
        """Whether it multiplies by kernels that move over a map."""
        return self.operand == "kernels"


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class ConvGeometry:
    """Shape of a two-dimensional convolution; sizes in pixels, (height, width).

    ``images`` of one sample meet the same kernels, as the tokens of a ConvShareViT do.
    """

    in_channels: Size
    out_channels: Size
    kernel: tuple[Size, Size]
    stride: tuple[Size, Size]
    padding: tuple[Amount, Amount]
    dilation: tuple[Size, Size]
    groups: Size
    in_size: tuple[Size, Size]
    out_size: tuple[Size, Size]
    images: Size = 1


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class MatmulGeometry:
    """Shape of ``count`` matrix products of one sample: (rows, inner) @ (inner, columns)."""

    rows: Size
    inner: Size
    columns: Size
    count: Size = 1


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operator of a model, counted for one sample.

    Attributes:
        name: unique in its graph, by convention the module path (``blocks.0.attn.qkv``).
        kind: kind of operator, which devices distinguish.
        macs: multiply-accumulates; 0 for operators that are bound by memory.
        params: weights (and biases, running statistics left out), in elements.
        input_elements: activation elements read.
        output_elements: activation elements written.
        geometry: convolution or product shape, where the operator is one.
    """

    name: Annotated[str, Field(strict=True, min_length=1, max_length=1000)]
    kind: OpKind
    macs: Amount = 0
    params: Amount = 0
    input_elements: Amount = 0
    output_elements: Amount = 0
    geometry: ConvGeometry | MatmulGeometry | None = None

    @property
    def flop(self) -> int:
        """Floating-point operations of one sample; one multiply-accumulate counts as two."""
        return 2 * self.macs

    def weight_bytes(self, precision: str) -> float:
        """Bytes of the weights at ``precision``."""
        return self.params * BYTES_PER_ELEMENT[precision]

    def input_bytes(self, precision: str) -> float:
        """Bytes of activations read for one sample at ``precision``."""
        return self.input_elements * BYTES_PER_ELEMENT[precision]

    def output_bytes(self, precision: str) -> float:
        """Bytes of activations written for one sample at ``precision``."""
        return self.output_elements * BYTES_PER_ELEMENT[precision]

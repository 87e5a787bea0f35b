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
Bits = Annotated[int, Field(strict=True, ge=1, le=64)]
"""Bits of a number."""

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
        like: kind whose efficiency it takes on a device that has no figure of its own for it;
            None for kinds that published and measured times are fitted to.
    """

    _value_: str
    operand: Literal["weights", "kernels", "activations"] | None
    like: str | None

    def __new__(
        cls,
        value: str,
        operand: Literal["weights", "kernels", "activations"] | None = None,
        like: str | None = None,
    ) -> Self:
        """Make a member from its name, its operand and the kind that it resembles."""
        kind = str.__new__(cls, value)
        kind._value_, kind.operand, kind.like = value, operand, like
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
    FFT = "fft", None, "norm"
    """Fourier transform: several passes over rows, FLOP but no multiply-accumulates."""
    SHIFT_LINEAR = "shift-linear", "weights", "linear"
    """Product with weights that are powers of two: shifts and sums in place of multiplications."""
    SHIFT_CONV = "shift-conv", "kernels", "conv"
    """Convolution with weights that are powers of two."""
    SHIFT_DEPTHWISE = "shift-depthwise", "kernels", "depthwise"
    """Depthwise convolution with weights that are powers of two."""
    GENERIC = "generic"
    """Work of an explicit task graph, of which only the FLOP count is known."""

    @property
    def fitted_as(self) -> OpKind:
        """Kind whose fitted efficiency holds for it: itself, or the one that it resembles."""
        return self if self.like is None else OpKind(self.like)

    @property
    def is_product(self) -> bool:
        """Whether it multiplies matrices: its efficiency is a share of the peak."""
        return self.operand is not None

    @property
    def has_weights(self) -> bool:
        """Whether it multiplies by weights, which all samples of a batch share."""
        return self.operand in ("weights", "kernels")

    @property
    def is_shift_add(self) -> bool:
        """Whether its weights are powers of two, so that it needs no multiplications."""
        return self in (OpKind.SHIFT_LINEAR, OpKind.SHIFT_CONV, OpKind.SHIFT_DEPTHWISE)

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
        input_elements: activation elements read; a complex one counts as two.
        output_elements: activation elements written.
        geometry: convolution or product shape, where the operator is one.
        other_flop: floating-point operations that are no multiply-accumulate, of a Fourier
            transform.
        weight_bits: bits of a weight, where they are not those of the model's precision.
        activation_bits: bits of an activation, where they are not those of the model's precision.
        density: share of the weights that are left where blocks of them are zero; ``macs`` and
            ``params`` count the blocks that are zero too.
        block: (rows, columns) of those blocks.
    """

    name: Annotated[str, Field(strict=True, min_length=1, max_length=1000)]
    kind: OpKind
    macs: Amount = 0
    params: Amount = 0
    input_elements: Amount = 0
    output_elements: Amount = 0
    geometry: ConvGeometry | MatmulGeometry | None = None
    other_flop: Amount = 0
    weight_bits: Bits | None = None
    activation_bits: Bits | None = None
    density: Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)] = 1.0
    block: tuple[Size, Size] | None = None

    @property
    def flop(self) -> int:
        """Floating-point operations of one sample; one multiply-accumulate counts as two."""
        return 2 * self.macs + self.other_flop

    @property
    def needed_macs(self) -> int:
        """Multiply-accumulates without those of blocks of weights that are zero."""
        return round(self.macs * self.density)

    @property
    def arithmetic_bits(self) -> int | None:
        """Bits that its arithmetic needs, where both operands have bits of their own."""
        if not self.kind.has_weights:
            return self.activation_bits
        if self.weight_bits is None or self.activation_bits is None:
            return None
        return max(self.weight_bits, self.activation_bits)

    def weight_width(self, precision: str) -> float:
        """Bytes of one weight: of its own bits, or of ``precision``."""
        bits = self.weight_bits
        return BYTES_PER_ELEMENT[precision] if bits is None else bits / 8

    def activation_width(self, precision: str) -> float:
        """Bytes of one activation: of its own bits, or of ``precision``."""
        bits = self.activation_bits
        return BYTES_PER_ELEMENT[precision] if bits is None else bits / 8

    def weight_bytes(self, precision: str) -> float:
        """Bytes of the weights at ``precision``."""
        return self.params * self.weight_width(precision)

    def input_bytes(self, precision: str) -> float:
        """Bytes of activations read for one sample at ``precision``."""
        return self.input_elements * self.activation_width(precision)

    def output_bytes(self, precision: str) -> float:
        """Bytes of activations written for one sample at ``precision``."""
        return self.output_elements * self.activation_width(precision)

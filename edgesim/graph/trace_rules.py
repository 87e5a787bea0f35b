"""What an ATen operator computes: its kind, multiply-accumulates and geometry, from shapes alone.

Names are those of `torch.ops.aten` without overload and without the trailing underscore of the
in-place form. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2, prod
from typing import Any

from edgesim.graph.op import ConvGeometry, MatmulGeometry, OpKind

Shape = tuple[int, ...]


class ComplexShape(tuple[int, ...]):
    """Shape of a tensor of complex numbers, each of which counts as two elements."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor as an operator sees it.

    Attributes:
        shape: shape with the batch.
        weight: made of parameters only, not of the input.
    """

    shape: Shape
    weight: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What one operator computes on the whole batch."""

    kind: OpKind
    macs: int = 0
    geometry: ConvGeometry | MatmulGeometry | None = None
    other_flop: int = 0
    weight_bits: int | None = None
    activation_bits: int | None = None


Arguments = Mapping[str, Any]
Rule = Callable[[Arguments, Shape], Work]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Passed on as they are: nothing is computed. Copies that change the layout count as views, because
# a runtime lays tensors out as its kernels want them; but see `COPIES`.
FREE = _words(
    "_reshape_alias _unsafe_view alias contiguous detach expand_as flatten lift lift_fresh "
    "lift_fresh_copy numpy_T positive reshape reshape_as requires_grad unflatten unsafe_chunk "
    "unsafe_split unsafe_split_with_sizes view_as "
    "alpha_dropout dropout feature_alpha_dropout feature_dropout native_dropout"
)
DROPOUT = frozenset(name for name in FREE if name.endswith("dropout"))

# Those of them that copy where a view is not possible. Where whole rows move, that is work.
COPIES = _words("contiguous flatten reshape reshape_as _unsafe_view")

# Make tensors of numbers that no sample changes.
CONSTANTS = _words(
    "empty_like full_like new_empty new_empty_strided new_full new_ones new_zeros ones_like "
    "zeros_like"
)

# Change only how elements are written down; free where the type stays.
CASTS = _words("_to_copy to type_as")

# Free where they add nothing.
PADS = frozenset(("pad", "constant_pad_nd", "repeat", "tile"))

# Assertions and questions about sizes.
NOTHING = _words(
    "_assert_async _assert_scalar _assert_tensor_metadata is_nonzero sym_constrain_range "
    "sym_constrain_range_for_size sym_numel sym_size sym_storage_offset sym_stride"
)

_KINDS: dict[str, OpKind] = {
    name: kind
    for kind, names in {
        OpKind.NORM: "layer_norm group_norm instance_norm rms_norm native_layer_norm "
        "native_group_norm local_response_norm _fused_rms_norm",
        OpKind.BATCHNORM: "batch_norm native_batch_norm cudnn_batch_norm "
        "_native_batch_norm_legit _native_batch_norm_legit_no_training",
        OpKind.SOFTMAX: "softmax log_softmax _softmax _log_softmax _safe_softmax special_softmax",
        OpKind.ACTIVATION: "relu relu6 hardswish hardsigmoid hardtanh leaky_relu prelu "
        "_prelu_kernel hardshrink softshrink threshold rrelu",
        OpKind.TRANSCENDENTAL: "gelu silu sigmoid tanh elu selu celu mish softplus glu "
        "log_sigmoid log_sigmoid_forward erf",
        OpKind.POOL: "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices "
        "max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d "
        "adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d "
        "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d "
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d "
        "upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d _upsample_nearest_exact2d "
        "_upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler grid_sampler_2d "
        "grid_sampler_3d mean sum amax amin argmax argmin any all prod std var var_mean "
        "std_mean logsumexp linalg_vector_norm norm cumsum cumprod count_nonzero",
        OpKind.ELEMENTWISE: "bernoulli normal rand_like randn_like randint_like uniform cdist "
        "_cdist_forward cross linalg_cross",
        OpKind.MEMORY: "contiguous flatten reshape reshape_as _unsafe_view cat "
        "concat stack hstack vstack slice select narrow index index_select "
        "gather take take_along_dim roll flip rot90 pad constant_pad_nd reflection_pad1d "
        "reflection_pad2d replication_pad1d replication_pad2d repeat repeat_interleave clone copy "
        "tile pixel_shuffle pixel_unshuffle channel_shuffle im2col col2im unfold_copy embedding "
        "embedding_bag index_put scatter scatter_add index_add index_copy masked_select sort topk "
        "tril triu one_hot fill zero slice_scatter select_scatter diagonal_scatter "
        "scatter_reduce index_reduce index_fill masked_scatter nonzero nonzero_static argsort "
        "msort kthvalue searchsorted bucketize histc bincount unique_dim _unique2 multinomial "
        "diag_embed block_diag max_unpool2d reflection_pad3d replication_pad3d "
        "native_channel_shuffle",
    }.items()
    for name in names.split()
}


def work_of(name: str, arguments: Arguments, out: Shape) -> Work | None:
    """Return what the operator ``name`` computes; None where no rule knows it.

    Args:
        name: name of the ATen operator.
        arguments: arguments by the names of its schema; tensors as `Operand`.
        out: shape of its first output.
    """
    rule = _RULES.get(name)
    if rule is not None:
        return rule(arguments, out)
    kind = _KINDS.get(name)
    return None if kind is None else Work(kind)


def _linear(arguments: Arguments, out: Shape) -> Work:
    return product(arguments["input"], _transposed(arguments["weight"]), out)


def _transposed(operand: Operand) -> Operand:
    return Operand(operand.shape[::-1], operand.weight)


def product(left: Operand, right: Operand, out: Shape) -> Work:
    """Count ``left @ right``, broadcast as `torch.matmul` does.

    MACs = elements of the result x inner edge. A product with a weight is ``linear``, one of two
    activations ``attention``.
    """
    inner = left.shape[-1]
    macs = prod(out) * inner
    weights = left.weight or right.weight
    kind = OpKind.LINEAR if weights else OpKind.ATTENTION
    if left.weight and not right.weight:
        # The activation makes the rows: W x = (xᵀ Wᵀ)ᵀ.
        left, right = _flipped(right), _flipped(left)
    columns = right.shape[-1] if len(right.shape) > 1 else 1
    count = prod(right.shape[:-2]) if weights else prod(out[:-2])
    rows = macs // max(1, inner * columns * count)
    return Work(kind, macs, MatmulGeometry(rows=rows, inner=inner, columns=columns, count=count))


def _flipped(operand: Operand) -> Operand:
    shape = operand.shape
    if len(shape) > 1:
        shape = (*shape[:-2], shape[-1], shape[-2])
    return Operand(shape, operand.weight)


def _of(left: str, right: str) -> Rule:
    return lambda arguments, out: product(arguments[left], arguments[right], out)


def _outer(arguments: Arguments, out: Shape) -> Work:
    return Work(OpKind.ELEMENTWISE)


def _extreme(arguments: Arguments, out: Shape) -> Work:
    # Of two tensors, or along one.
    return Work(OpKind.ELEMENTWISE if arguments.get("other") is not None else OpKind.POOL)


def _vectors(arguments: Arguments, out: Shape) -> Work:
    names = [key for key in ("self", "tensor", "other") if key in arguments]
    left, right = (arguments[key] for key in names[:2])
    return product(left, right, out)


def _bilinear(arguments: Arguments, out: Shape) -> Work:
    # out[b, o] = sum over i, j of x1[b, i] W[o, i, j] x2[b, j]
    return Work(OpKind.LINEAR, prod(out[:-1]) * prod(arguments["weight"].shape))


def _conv(arguments: Arguments, out: Shape) -> Work:
    """Count a convolution: out elements x weights of one output channel.

    A transposed one reads its weights once for every input element instead.
    """
    weight: Operand = arguments["weight"]
    source: Operand = arguments["input"]
    dims = len(weight.shape) - 2
    groups = int(arguments.get("groups", 1))
    if arguments.get("transposed", False):
        kind = OpKind.DEPTHWISE if 1 < groups == weight.shape[0] else OpKind.CONV
        return Work(kind, prod(source.shape) * prod(weight.shape[1:]))
    out_channels, per_group = weight.shape[:2]
    macs = prod(out) * prod(weight.shape[1:])
    kind = OpKind.DEPTHWISE if per_group == 1 and groups > 1 else OpKind.CONV
    if dims > 2:
        return Work(kind, macs)
    stride = _pair(arguments.get("stride", 1), dims, 1)
    kernel = _pair(weight.shape[2:], dims, 1)
    dilation = _pair(arguments.get("dilation", 1), dims, 1)
    in_size = _pair(source.shape[-dims:], dims, 1)
    out_size = _pair(out[-dims:], dims, 1)
    padding = arguments.get("padding", 0)
    if padding == "same":
        # The smaller half, when the two sides differ.
        pads = _pair([d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)], 2, 0)
    else:
        pads = (0, 0) if padding == "valid" else _pair(padding, dims, 0)
    geometry = ConvGeometry(
        in_channels=per_group * groups,
        out_channels=out_channels,
        kernel=kernel,
        stride=stride,
        padding=pads,
        dilation=dilation,
        groups=groups,
        in_size=in_size,
        out_size=out_size,
        images=prod(source.shape[: -dims - 1]),
    )
    return Work(kind, macs, geometry)


def _pair(value: int | Sequence[int], dims: int, fill: int) -> tuple[int, int]:
    """Return (height, width); of one dimension the height is ``fill``."""
    edges = [value] * dims if isinstance(value, int) else list(value)
    if len(edges) == 1:
        edges = edges * dims
    first, last = ([fill, *edges] if dims == 1 and len(edges) == 1 else edges)[:2]
    return int(first), int(last)


def _transposed_conv(arguments: Arguments, out: Shape) -> Work:
    return _conv({**arguments, "transposed": True}, out)


def _recurrent(arguments: Arguments, out: Shape) -> Work:
    """Count an LSTM, GRU or RNN: every weight matrix once for each step of each sample."""
    matrices = [p for p in arguments["params"] if len(p.shape) == 2]
    source: Operand = arguments["input"] if "input" in arguments else arguments["data"]
    steps = prod(source.shape[:-1])
    return Work(OpKind.LINEAR, steps * sum(prod(matrix.shape) for matrix in matrices))


def _recurrent_cell(arguments: Arguments, out: Shape) -> Work:
    rows = arguments["input"].shape[0]
    matrices = (arguments["w_ih"], arguments["w_hh"])
    return Work(OpKind.LINEAR, rows * sum(prod(matrix.shape) for matrix in matrices))


def _transform(arguments: Arguments, out: Shape) -> Work:
    """Count Fourier transforms: 5 N log2 N FLOP for N complex points, half of it for real ones.

    This is the convention of FFTW's benchmarks (fftw.org/speed/method.html).
    """
    source = arguments["self"].shape
    real = not (isinstance(source, ComplexShape) and isinstance(out, ComplexShape))
    sizes = arguments.get("s", arguments.get("n"))
    sizes = [sizes] if isinstance(sizes, int) else list(sizes or ())
    axes = arguments.get("dim")
    if axes is None:
        axes = range(-(len(sizes) or len(source)), 0)
    axes = [axes] if isinstance(axes, int) else list(axes)
    lengths = [out[axis] for axis in axes]
    count = prod(out) // max(1, prod(lengths))
    if not isinstance(source, ComplexShape):
        # Half of what real points give follows from the other half, and may be left out.
        lengths[-1] = sizes[-1] if sizes else source[axes[-1]]
    points = prod(lengths)
    each = ceil((2.5 if real else 5.0) * points * log2(points)) if points > 1 else 0
    return Work(OpKind.FFT, other_flop=count * each)


_TRANSFORMS = (
    *(f"fft_{kind}{axes}" for kind in ("fft", "ifft", "rfft", "irfft") for axes in ("", "2", "n")),
    "fft_hfft", "fft_ihfft", "_fft_r2c", "_fft_c2r", "_fft_c2c",
)  # fmt: skip

_RULES: dict[str, Rule] = {
    **dict.fromkeys(_TRANSFORMS, _transform),
    "linear": _linear,
    "matmul": _vectors,
    "mm": _of("self", "mat2"),
    "bmm": _of("self", "mat2"),
    "mv": _of("self", "vec"),
    "dot": _vectors,
    "addmm": _of("mat1", "mat2"),
    "addmv": _of("mat", "vec"),
    "addbmm": _of("batch1", "batch2"),
    "baddbmm": _of("batch1", "batch2"),
    "outer": _outer,
    "max": _extreme,
    "min": _extreme,
    "bilinear": _bilinear,
    "_trilinear": _outer,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "_convolution"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed_conv),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _recurrent),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), _recurrent_cell),
}


def attention_work(query: Operand, value: Operand, out: Shape) -> tuple[Work, Work]:
    """Return QKᵀ and AV of fused attention.

    Args:
        query: (..., heads, queries, head width).
        value: (..., heads or groups of heads, keys, value width).
        out: (..., heads, queries, value width).
    """
    *batch, rows, wide = out
    inner, columns = query.shape[-1], value.shape[-2]
    count = prod(batch)
    scores = MatmulGeometry(rows=rows, inner=inner, columns=columns, count=count)
    mixed = MatmulGeometry(rows=rows, inner=columns, columns=wide, count=count)
    return (
        Work(OpKind.ATTENTION, count * rows * inner * columns, scores),
        Work(OpKind.ATTENTION, count * rows * columns * wide, mixed),
    )

"""What an ONNX operator computes, as the operators of torch that `trace` knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from edgesim.graph.op import MatmulGeometry, OpKind
from edgesim.graph.trace_rules import Operand, Shape, Work, product, work_of

Attributes = Mapping[str, Any]
Operands = Sequence[Operand | None]
Rule = Callable[[Operands, Attributes, Shape], Work]

CONTRIB = "com.microsoft"
"""Domain of the operators that ONNX Runtime's quantisation and fusion write."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FREE = _words(
    "Identity Reshape Flatten Squeeze Unsqueeze Dropout Transpose Expand QuantizeLinear "
    "DequantizeLinear CastLike Optional OptionalGetElement"
)
"""Operators that hand their first input on; casts and splits are free too where they are views."""

CONSTANTS = _words("Constant ConstantOfShape Shape Size Range EyeLike")
"""Operators whose result no sample changes."""

DEPENDENT = _words(
    "If Loop Scan SequenceMap NonZero Compress Unique NonMaxSuppression StringNormalizer"
)
"""Operators of which the work, or the size of the result, depends on the data."""

_KINDS: Mapping[str, OpKind] = {
    name: kind
    for kind, names in {
        OpKind.NORM: "LayerNormalization GroupNormalization InstanceNormalization "
        "RMSNormalization LpNormalization MeanVarianceNormalization LRN "
        "SimplifiedLayerNormalization SkipLayerNormalization "
        "SkipSimplifiedLayerNormalization",
        OpKind.BATCHNORM: "BatchNormalization",
        OpKind.SOFTMAX: "Softmax LogSoftmax Hardmax QLinearSoftmax",
        OpKind.ACTIVATION: "Relu LeakyRelu PRelu HardSigmoid HardSwish Clip ThresholdedRelu Shrink "
        "QLinearLeakyRelu",
        OpKind.TRANSCENDENTAL: "Gelu Sigmoid Tanh Elu Selu Celu Mish Softplus Softsign Erf Swish "
        "FastGelu QuickGelu BiasGelu QLinearSigmoid",
        OpKind.POOL: "MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool GlobalLpPool "
        "MaxRoiPool RoiAlign Resize Upsample GridSample ReduceMean ReduceSum ReduceMax ReduceMin "
        "ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare ArgMax ArgMin "
        "CumSum CumProd QLinearAveragePool QLinearGlobalAveragePool QLinearReduceMean",
        OpKind.MEMORY: "Transpose Concat Slice Gather GatherElements GatherND Scatter "
        "ScatterElements ScatterND Split Pad Tile DepthToSpace SpaceToDepth TopK OneHot Trilu "
        "Where ReverseSequence Col2Im MaxUnpool TensorScatter CenterCropPad QLinearConcat",
        OpKind.ELEMENTWISE: "Add Sub Mul Div Pow Sqrt Exp Log Neg Abs Reciprocal Floor Ceil Round "
        "Sign Mod Min Max Mean Sum Not And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual "
        "IsNaN IsInf Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Cast BitShift "
        "BitwiseAnd BitwiseOr BitwiseXor BitwiseNot DynamicQuantizeLinear RandomNormalLike "
        "RandomUniformLike RandomNormal RandomUniform Bernoulli RotaryEmbedding QLinearAdd "
        "QLinearMul AffineGrid HannWindow HammingWindow BlackmanWindow",
    }.items()
    for name in names.split()
}


def is_known(name: str, domain: str) -> bool:
    """Return whether an operator can be counted, or is one of those that depend on the data."""
    if domain not in ("", "ai.onnx", CONTRIB):
        return False
    return any(
        name in some for some in (FREE, CONSTANTS, DEPENDENT, _KINDS, _RULES, ("Attention",))
    )


def onnx_work(name: str, operands: Operands, attributes: Attributes, out: Shape) -> Work:
    """Return what an operator computes on the whole batch.

    Args:
        name: its type, such as ``Conv``.
        operands: its inputs that are tensors, in the order of its definition; None for those that
            are left out.
        attributes: its attributes.
        out: shape of its first output.
    """
    rule = _RULES.get(name)
    return Work(_KINDS[name]) if rule is None else rule(operands, attributes, out)


def _conv(operands: Operands, attributes: Attributes, out: Shape) -> Work:
    source, weight = operands[:2]
    assert source is not None
    assert weight is not None
    dims = len(weight.shape) - 2
    kernel = weight.shape[2:]
    stride = attributes.get("strides", [1] * dims)
    dilation = attributes.get("dilations", [1] * dims)
    padding = list(attributes.get("pads", [0] * (2 * dims)))[:dims]
    if str(attributes.get("auto_pad", "NOTSET")).startswith("SAME"):
        needed = [
            max((o - 1) * s + d * (k - 1) + 1 - i, 0)
            for o, s, d, k, i in zip(
                out[2:], stride, dilation, kernel, source.shape[2:], strict=True
            )
        ]
        upper = attributes["auto_pad"] == "SAME_UPPER"
        padding = [total // 2 if upper else -(-total // 2) for total in needed]
    found = work_of(
        "convolution",
        {
            "input": source,
            "weight": weight,
            "stride": list(stride),
            "padding": padding,
            "dilation": list(dilation),
            "groups": attributes.get("group", 1),
        },
        out,
    )
    assert found is not None
    return found


def _conv_transpose(operands: Operands, attributes: Attributes, out: Shape) -> Work:
    source, weight = operands[:2]
    arguments = {"input": source, "weight": weight, "groups": attributes.get("group", 1)}
    found = work_of("conv_transpose2d", arguments, out)
    assert found is not None
    return found


def _matmul(operands: Operands, attributes: Attributes, out: Shape) -> Work:
    left, right = operands[:2]
    assert left is not None
    assert right is not None
    if attributes.get("transA", 0):
        left = replace(left, shape=(*left.shape[:-2], left.shape[-1], left.shape[-2]))
    if attributes.get("transB", 0):
        right = replace(right, shape=(*right.shape[:-2], right.shape[-1], right.shape[-2]))
    return product(left, right, out)


def _einsum(operands: Operands, attributes: Attributes, out: Shape) -> Work:
    """Count a product of two tensors: every combination of their indices is one MAC."""
    equation = attributes["equation"].replace(" ", "")
    given, arrow, result = equation.partition("->")
    terms = given.split(",")
    if not arrow:
        result = "".join(sorted(c for c in set(given) if c.isalpha() and given.count(c) == 1))
    sizes: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        assert operand is not None
        sizes |= _sizes(term, operand.shape)
    if len(terms) == 1:
        return Work(OpKind.MEMORY if set(sizes) <= set(_sizes(result, out)) else OpKind.POOL)
    summed = prod(size for index, size in sizes.items() if index not in _sizes(result, out))
    if len(terms) > 2:
        # Without an order that it is computed in, at least what the result takes.
        return Work(OpKind.ATTENTION, prod(out) * summed)
    left, right = operands
    assert left is not None
    assert right is not None
    own = [set(_sizes(term, one.shape)) for term, one in zip(terms, (left, right), strict=True)]
    shared = own[0] & own[1]
    count = prod(size for index, size in sizes.items() if index in shared and index in
                 _sizes(result, out))  # fmt: skip
    rows = prod(sizes[index] for index in own[0] - shared)
    columns = prod(sizes[index] for index in own[1] - shared)
    weights = left.weight or right.weight
    if left.weight and not right.weight:
        rows, columns = columns, rows
    return Work(
        OpKind.LINEAR if weights else OpKind.ATTENTION,
        prod(sizes.values()),
        MatmulGeometry(rows=rows, inner=summed, columns=columns, count=count),
    )


def _sizes(term: str, shape: Shape) -> dict[str, int]:
    """Return the size of each index of a term; those of an ellipsis are numbered from the end."""
    if "..." in term:
        before, after = term.split("...")
        hidden = len(shape) - len(before) - len(after)
        names = [*before, *(f".{index}" for index in range(-hidden, 0)), *after]
    else:
        names = list(term)
    return dict(zip(names, shape, strict=True))


def _recurrent(operands: Operands, attributes: Attributes, out: Shape) -> Work:
    source, weight, hidden = operands[:3]
    assert source is not None
    assert weight is not None
    assert hidden is not None
    matrices = [
        Operand(one.shape[1:], True) for one in (weight, hidden) for _ in range(one.shape[0])
    ]
    found = work_of("lstm", {"input": source, "params": matrices}, out)
    assert found is not None
    return found


def _reading(*places: int) -> Callable[[Rule], Rule]:
    """Make a rule of one whose operands stand at other places, with scales between them."""

    def wrap(rule: Rule) -> Rule:
        return lambda operands, attributes, out: rule(
            [operands[place] for place in places], attributes, out
        )

    return wrap


_RULES: Mapping[str, Rule] = {
    "Conv": _conv,
    "FusedConv": _conv,
    "DeformConv": _conv,
    "ConvInteger": _conv,
    "QLinearConv": _reading(0, 3)(_conv),
    "ConvTranspose": _conv_transpose,
    "MatMul": _matmul,
    "Gemm": _matmul,
    "MatMulInteger": _matmul,
    "DynamicQuantizeMatMul": _matmul,
    "MatMulIntegerToFloat": _matmul,
    "FusedMatMul": _matmul,
    "QLinearMatMul": _reading(0, 3)(_matmul),
    "QGemm": _reading(0, 3)(_matmul),
    "Einsum": _einsum,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}

WEIGHT_PLACE: Mapping[str, int] = {
    "QLinearConv": 3, "QLinearMatMul": 3, "QGemm": 3, "ConvInteger": 1, "MatMulInteger": 1,
}  # fmt: skip
"""Which input of an operator on integers is its weight; the others are data, scales and zeros."""

STORED: Mapping[str, tuple[int, ...]] = {
    "DequantizeLinear": (0,), "QLinearConv": (3, 8), "QLinearMatMul": (3,), "QGemm": (3, 6),
    "ConvInteger": (1,), "MatMulInteger": (1,),
}  # fmt: skip
"""Inputs that stand for numbers in integers: weights and biases."""

SCALES: Mapping[str, frozenset[int]] = {
    "QLinearConv": frozenset((1, 2, 4, 5, 6, 7)),
    "QLinearMatMul": frozenset((1, 2, 4, 5, 6, 7)),
    "QGemm": frozenset((1, 2, 4, 5, 7, 8)),
    "ConvInteger": frozenset((2, 3)),
    "MatMulInteger": frozenset((2, 3)),
    "QLinearAdd": frozenset((1, 2, 4, 5, 6, 7)),
    "QLinearMul": frozenset((1, 2, 4, 5, 6, 7)),
    "BatchNormalization": frozenset((3, 4)),
    "Resize": frozenset((1, 2, 3)),
    "Clip": frozenset((1, 2)),
    "QuantizeLinear": frozenset((1, 2)),
    "DequantizeLinear": frozenset((1, 2)),
    **dict.fromkeys(
        ("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearGlobalAveragePool",
         "QLinearAveragePool", "QLinearReduceMean"), frozenset((1, 2, 3, 4)),
    ),
}  # fmt: skip
"""Inputs that are neither data nor parameters: scales, zero points, running statistics, sizes."""

CONTRIB_SHAPES: Mapping[str, str] = {
    **dict.fromkeys(
        _words("Gelu FastGelu QuickGelu BiasGelu SkipLayerNormalization QLinearSigmoid "
               "QLinearLeakyRelu QLinearSoftmax SkipSimplifiedLayerNormalization "
               "SimplifiedLayerNormalization"), "first",
    ),
    "QLinearAdd": "broadcast", "QLinearMul": "broadcast", "QGemm": "gemm",
    "QLinearGlobalAveragePool": "global", "QLinearConcat": "concat",
    "FusedConv": "Conv", "FusedMatMul": "MatMul",
    "DynamicQuantizeMatMul": "MatMul", "MatMulIntegerToFloat": "MatMul",
}  # fmt: skip
"""How the shape of an operator of `CONTRIB` follows, since onnx knows none of them."""

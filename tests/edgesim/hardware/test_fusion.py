"""Which operators run as one kernel, and what such a kernel moves, counted by hand."""

from __future__ import annotations

import pytest

from edgesim.graph import Graph, Op, OpKind, zoo
from edgesim.hardware.fusion import Kernel, Work, kernels

FOLDED = frozenset({OpKind.BATCHNORM, OpKind.ACTIVATION, OpKind.ELEMENTWISE})
ATTENTION = frozenset({OpKind.SOFTMAX, OpKind.ATTENTION})


def op(name: str, kind: OpKind, read: int, written: int, *, params: int = 0, macs: int = 0) -> Op:
    return Op(
        name=name, kind=kind, macs=macs, params=params, input_elements=read, output_elements=written
    )


def residual() -> Graph:
    """A convolution, its normalisation and activation, and a sum with the input of all that."""
    return Graph(
        "residual",
        [
            op("stem", OpKind.CONV, 30, 100, params=9, macs=900),
            op("conv", OpKind.CONV, 100, 100, params=7, macs=700),
            op("bn", OpKind.BATCHNORM, 100, 100, params=4),
            op("act", OpKind.ACTIVATION, 100, 100),
            op("add", OpKind.ELEMENTWISE, 200, 100),
        ],
        [("stem", "conv"), ("conv", "bn"), ("bn", "act"), ("act", "add"), ("stem", "add")],
        (30,),
    )


def test_nothing_is_fused_unless_asked() -> None:
    found = kernels(residual(), frozenset())
    assert [kernel.kind for kernel in found] == [
        OpKind.CONV, OpKind.CONV, OpKind.BATCHNORM, OpKind.ACTIVATION, OpKind.ELEMENTWISE,
    ]  # fmt: skip
    assert [kernel.activation_elements for kernel in found] == [130, 200, 200, 200, 300]


def test_a_convolution_takes_what_follows_it_into_its_kernel() -> None:
    # What lies between them is neither written nor read: 100 in, 100 of the other branch, 100 out.
    assert kernels(residual(), FOLDED) == (
        Kernel(("stem",), OpKind.CONV, (Work(OpKind.CONV, 900, 9.0),), 9, 130),
        Kernel(
            ("conv", "bn", "act", "add"), OpKind.CONV, (Work(OpKind.CONV, 700, 7.0),), 7 + 4, 300
        ),
    )


def test_an_output_that_others_read_is_written_once_even_if_fused() -> None:
    graph = Graph(
        "shared",
        [
            op("conv", OpKind.CONV, 10, 20, macs=40),
            op("act", OpKind.ACTIVATION, 20, 20),
            op("other", OpKind.MEMORY, 20, 20),
        ],
        [("conv", "act"), ("conv", "other")],
        (10,),
    )
    first, second = kernels(graph, FOLDED)
    assert first.activation_elements == 10 + 20 + 20
    assert second.activation_elements == 40


def test_a_sum_joins_the_input_that_is_computed_last() -> None:
    # Joining the early one would make it wait for the late one, which waits for it.
    graph = Graph(
        "crossed",
        [
            op("early", OpKind.CONV, 10, 10, macs=10),
            op("late", OpKind.CONV, 10, 10, macs=10),
            op("add", OpKind.ELEMENTWISE, 20, 10),
        ],
        [("early", "late"), ("early", "add"), ("late", "add")],
        (10,),
    )
    first, second = kernels(graph, FOLDED)
    assert first.activation_elements == 20
    # The convolution's input, read again for the sum, and the sum.
    assert second.activation_elements == 10 + 10 + 10


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        # What folds into a convolution does not fold into a product of matrices.
        (OpKind.CONV, OpKind.BATCHNORM, 1),
        (OpKind.CONV, OpKind.ACTIVATION, 1),
        (OpKind.LINEAR, OpKind.BATCHNORM, 2),
        (OpKind.LINEAR, OpKind.ACTIVATION, 2),
        # GELU is the end of any product, and of nothing else.
        (OpKind.LINEAR, OpKind.TRANSCENDENTAL, 1),
        (OpKind.CONV, OpKind.TRANSCENDENTAL, 1),
        (OpKind.ELEMENTWISE, OpKind.TRANSCENDENTAL, 2),
        # A layer normalisation follows the sum that makes its rows, and waits for a product's.
        (OpKind.ELEMENTWISE, OpKind.NORM, 1),
        (OpKind.LINEAR, OpKind.NORM, 2),
        (OpKind.CONV, OpKind.ELEMENTWISE, 1),
        (OpKind.LINEAR, OpKind.ELEMENTWISE, 1),
    ],
)
def test_what_goes_together(first: OpKind, second: OpKind, count: int) -> None:
    macs = 200 if first in (OpKind.LINEAR, OpKind.CONV) else 0
    graph = Graph(
        "two",
        [op("one", first, 10, 20, macs=macs), op("two", second, 20, 20)],
        [("one", "two")],
        (10,),
    )
    assert len(kernels(graph, frozenset({second}))) == count
    assert len(kernels(graph, frozenset(OpKind) - {second})) == 2


def test_fused_attention_never_writes_the_attention_matrix() -> None:
    # ViT-Tiny: 197 tokens, 3 heads of 64. Unfused a block moves the 3 x 197² matrix four times.
    graph = zoo.build("vit_tiny_patch16_224", depth=1)
    apart = sum(kernel.activation_elements for kernel in kernels(graph, frozenset()))
    together = sum(kernel.activation_elements for kernel in kernels(graph, ATTENTION))
    assert apart - together == 4 * 3 * 197**2
    (attention,) = [
        kernel for kernel in kernels(graph, ATTENTION) if kernel.kind is OpKind.ATTENTION
    ]
    # 2 n² x 192 MACs; each score is a sum of 64, each mixed value of 197.
    assert attention.work == (Work(OpKind.ATTENTION, 2 * 197**2 * 192, 64.0 + 197.0),)


@pytest.mark.parametrize("model", ["resnet50", "vit_small_patch16_224", "mobilenetv2_100"])
@pytest.mark.parametrize("fused", [frozenset(), FOLDED, ATTENTION, FOLDED | ATTENTION])
def test_fusion_keeps_all_weights_and_macs_and_never_moves_more(
    model: str, fused: frozenset[OpKind]
) -> None:
    graph = zoo.build(model)
    found = kernels(graph, fused)
    assert sum(kernel.weight_elements for kernel in found) == graph.params
    assert sum(work.macs for kernel in found for work in kernel.work) == graph.macs
    unfused = sum(one.input_elements + one.output_elements for one in graph)
    assert sum(kernel.activation_elements for kernel in found) <= unfused


def test_resnet_folds_into_one_kernel_for_each_convolution() -> None:
    # ResNet-50: 53 convolutions, two poolings and the head.
    assert len(kernels(zoo.build("resnet50"), FOLDED)) == 53 + 2 + 1

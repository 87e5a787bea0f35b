"""Graphs small enough to count by hand, and properties of any graph."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgesim.common.errors import InputError
from edgesim.graph import Graph, Op, OpKind, zoo
from edgesim.graph.mlp import mlp


def op(name: str, out: int, *, params: int = 0, macs: int = 0) -> Op:
    return Op(
        name=name, kind=OpKind.LINEAR, macs=macs, params=params, input_elements=1,
        output_elements=out,
    )  # fmt: skip


@pytest.fixture
def diamond() -> Graph:
    """Input of 10 -> a (4) -> b (3) -> d (2), and a -> c (5) -> d."""
    ops = [op("a", 4, params=7, macs=40), op("b", 3, macs=12), op("c", 5, params=1), op("d", 2)]
    return Graph("diamond", ops, [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")], (10,))


def test_totals(diamond: Graph) -> None:
    assert (diamond.macs, diamond.flop, diamond.params) == (52, 104, 8)
    assert (diamond.input_elements, diamond.output_elements) == (10, 2)
    assert [one.name for one in diamond] == ["a", "b", "c", "d"]
    assert (len(diamond), diamond["c"].output_elements) == (4, 5)
    assert diamond.predecessors("d") == ["b", "c"]
    assert diamond.successors("a") == ["b", "c"]
    assert "diamond" in repr(diamond)


def test_cuts(diamond: Graph) -> None:
    # Input; a; a and b (c still reads a); b and c; d.
    assert diamond.cut_elements == (10, 4, 7, 8, 2)


def test_memory(diamond: Graph) -> None:
    # While each runs: 10 + 4, 4 + 3, 7 + 5, 8 + 2.
    assert diamond.peak_activation_elements == 14
    assert diamond.weight_bytes("fp16") == 16
    assert diamond.memory_bytes("fp32") == 4 * (8 + 14)
    assert diamond.memory_bytes("int8", batch=3) == 8 + 3 * 14


def test_slices_carry_what_passes_through(diamond: Graph) -> None:
    middle = diamond.slice(1, 3)
    assert [one.name for one in middle] == ["b", "c"]
    assert middle.edges == []
    assert (middle.input_elements, middle.output_elements) == (4, 8)
    assert middle.cut_elements == (4, 7, 8)
    assert middle.peak_activation_elements == 12
    first = diamond.slice(0, 2)
    assert first.edges == [("a", "b")]
    # ``a`` leaves too: ``c`` is to read it.
    assert first.output_elements == 7
    assert diamond.slice(2, 2).cut_elements == (7,)


def test_a_slice_of_everything_is_the_graph(diamond: Graph) -> None:
    whole = diamond.slice(0, 4)
    assert (list(whole), whole.edges) == (list(diamond), diamond.edges)
    assert whole.cut_elements == diamond.cut_elements
    assert whole.peak_activation_elements == diamond.peak_activation_elements
    assert whole.memory_bytes("fp32", 2) == diamond.memory_bytes("fp32", 2)


def test_late_input_readers_and_outputs_with_readers() -> None:
    ops = [op("a", 4), op("b", 3), op("c", 5)]
    graph = Graph(
        "skips", ops, [("a", "b"), ("b", "c")], (10,), input_readers=["a", "b"], outputs=["a", "c"]
    )
    assert graph.cut_elements == (10, 14, 7, 9)
    assert graph.output_elements == 9
    assert graph.slice(1, 3).cut_elements == (14, 7, 9)


def test_the_order_is_topological_and_otherwise_as_given() -> None:
    graph = Graph("late", [op("b", 1), op("c", 1), op("a", 1)], [("a", "b")])
    assert [one.name for one in graph] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("edges", "extra", "message"),
    [
        ([("a", "b"), ("b", "a")], {}, "cycle: a → b"),
        ([("a", "x")], {}, "names 'x', which is no operator"),
        ([], {"outputs": ["x"]}, "output 'x' is no operator"),
        ([], {"input_readers": ["x"]}, "input reader 'x' is no operator"),
    ],
)
def test_bad_graphs(
    edges: list[tuple[str, str]], extra: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Graph("bad", [op("a", 1), op("b", 1)], edges, **extra)  # type: ignore[arg-type]


def test_two_operators_of_one_name() -> None:
    with pytest.raises(InputError, match="two operators are named 'a'"):
        Graph("bad", [op("a", 1), op("a", 1)], [])


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    size = draw(st.integers(1, 12))
    ops = [op(str(index), draw(st.integers(0, 9)), params=index) for index in range(size)]
    pairs = [(a, b) for b in range(size) for a in range(b)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return Graph("any", ops, [(str(a), str(b)) for a, b in edges], (draw(st.integers(0, 9)),))


@given(graphs())
def test_cuts_are_what_later_operators_read(graph: Graph) -> None:
    """Counted anew for each cut by its definition."""
    names = [one.name for one in graph]
    for cut, crossing in enumerate(graph.cut_elements):
        later = set(names[cut:])
        wanted = sum(
            graph[name].output_elements
            for name in names[:cut]
            if not graph.successors(name) or later & set(graph.successors(name))
        )
        if any(not graph.predecessors(name) for name in later):
            wanted += graph.input_elements
        assert crossing == wanted


@given(graphs(), st.data())
def test_slices_of_slices_are_slices(graph: Graph, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(graph)))
    stop = data.draw(st.integers(start, len(graph)))
    part = graph.slice(start, stop)
    assert part.cut_elements == graph.cut_elements[start : stop + 1]
    assert (part.input_elements, part.output_elements) == (
        graph.cut_elements[start],
        graph.cut_elements[stop],
    )
    low = data.draw(st.integers(0, len(part)))
    inner, direct = part.slice(low, len(part)), graph.slice(start + low, stop)
    assert list(inner) == list(direct)
    assert inner.edges == direct.edges
    assert inner.cut_elements == direct.cut_elements
    assert inner.peak_activation_elements == direct.peak_activation_elements


def test_slices_of_a_real_model_add_up() -> None:
    graph = zoo.build("resnet18", image_size=64)
    for cut in range(len(graph) + 1):
        first, second = graph.slice(0, cut), graph.slice(cut, len(graph))
        assert first.macs + second.macs == graph.macs
        assert first.params + second.params == graph.params
        assert first.output_elements == second.input_elements == graph.cut_elements[cut]


def test_fusion_mlp() -> None:
    graph = mlp("fusion", (20, 8, 3))
    assert [one.name for one in graph] == ["fc0", "act0", "fc1"]
    assert graph.params == 20 * 8 + 8 + 8 * 3 + 3
    assert graph.macs == 20 * 8 + 8 * 3
    assert graph.cut_elements == (20, 8, 8, 3)

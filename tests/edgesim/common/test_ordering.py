"""Topological order beside networkx's, and the cycle where there is none."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgesim.common.ordering import CycleError, in_order

NAMES = "abcdefgh"


@given(st.permutations(NAMES), st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))))
def test_the_order_is_that_of_networkx(names: list[str], edges: set[tuple[str, str]]) -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from(edges)
    try:
        order = in_order(names, edges)
    except CycleError as error:
        cycle = error.cycle
        assert cycle[0] == min(cycle, key=names.index)
        assert len(set(cycle)) == len(cycle)
        assert set(zip(cycle, cycle[1:] + cycle[:1], strict=True)) <= edges
    else:
        assert order == list(nx.lexicographical_topological_sort(graph, key=names.index))


def test_one_that_waits_for_itself_is_a_cycle() -> None:
    with pytest.raises(CycleError, match=r"^b$"):
        in_order("ab", [("a", "b"), ("b", "b")])

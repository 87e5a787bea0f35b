"""Routes: found and given, there and back."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesim.common.errors import InputError
from edgesim.hardware import Cluster, Duplex, Hop, Link
from edgesim.hardware.message import passage
from edgesim.hardware.topology import from_links, star, wifi
from tests.edgesim.simulate.models import node


def link(name: str, a: str, b: str, latency: float = 1.0) -> Link:
    return Link(name=name, bandwidth_byte_s=1.0, latency_s=latency, ends=(a, b))


def test_star_crosses_two_links() -> None:
    network = star(["a", "b"], bandwidth_byte_s=5.0, latency_s=2.0)
    assert network.route("a", "b") == (Hop("a-switch"), Hop("b-switch", forward=False))
    assert network.route("a", "a") == ()
    assert network.route("a", "c") is None
    assert network.links["a-switch"].duplex is Duplex.FULL
    assert len(network.routes) == 2


def test_two_stations_talk_through_a_router() -> None:
    network = wifi(["a", "b", "c"], bandwidth_byte_s=5.0, latency_s=2.0)
    assert network.route("c", "a") == (Hop("wifi"), Hop("wifi"))
    assert network.links["wifi"].duplex is Duplex.SHARED


def test_an_access_point_is_one_crossing_away() -> None:
    network = wifi(["a", "b", "c"], "b", bandwidth_byte_s=5.0)
    assert network.route("a", "b") == network.route("b", "c") == (Hop("wifi"),)
    assert network.route("c", "a") == (Hop("wifi"), Hop("wifi"))


def test_without_an_access_point_nodes_talk_directly() -> None:
    network = wifi(["a", "b", "c"], "none", bandwidth_byte_s=5.0)
    assert network.route("c", "a") == (Hop("wifi"),)


def test_a_message_over_the_air_twice_takes_half_its_bandwidth_and_both_latencies() -> None:
    nodes = {name: node(name) for name in "abc"}
    network = wifi([*nodes], "b", bandwidth_byte_s=5.0, latency_s=2.0)
    cluster = Cluster(nodes=nodes, network=network)
    assert passage(cluster, "a", "b").total_s(10.0) == 2.0 + 10.0 / 5.0
    assert passage(cluster, "a", "c").total_s(10.0) == 2 * 2.0 + 10.0 / 2.5


@pytest.mark.parametrize(
    ("nodes", "access_point", "words"),
    [
        (["a", "hub"], "hup", r"no node is named 'hup' .did you mean 'hub'"),
        (["a", "router"], "router", r"node 'router' has a reserved name on a Wi-Fi network"),
        (["none", "b"], "b", r"node 'none' has a reserved name on a Wi-Fi network"),
    ],
)
def test_access_points_that_make_no_sense(nodes: list[str], access_point: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        wifi(nodes, access_point, bandwidth_byte_s=1.0)


def test_least_latency_beats_fewest_links() -> None:
    network = from_links(
        ["a", "b"],
        [link("direct", "a", "b", 5.0), link("x", "a", "s", 1.0), link("y", "b", "s", 2.0)],
    )
    assert network.route("a", "b") == (Hop("x"), Hop("y", forward=False))
    assert network.route("b", "a") == (Hop("y"), Hop("x", forward=False))


def test_fewest_links_among_equal_latencies() -> None:
    links = [link("x", "a", "s"), link("y", "s", "b"), link("direct", "a", "b", 2.0)]
    assert from_links(["a", "b"], links).route("a", "b") == (Hop("direct"),)


def test_given_routes_win_and_count_both_ways() -> None:
    links = [link("x", "a", "s"), link("y", "s", "b"), link("direct", "a", "b")]
    network = from_links(["a", "b"], links, {("a", "b"): ["x", "y"]})
    assert network.route("a", "b") == (Hop("x"), Hop("y"))
    assert network.route("b", "a") == (Hop("y", forward=False), Hop("x", forward=False))


def test_way_back_of_its_own() -> None:
    links = [link("x", "a", "b"), link("y", "b", "a")]
    network = from_links(["a", "b"], links, {("a", "b"): ["x"], ("b", "a"): ["y"]})
    assert network.route("b", "a") == (Hop("y"),)


def test_links_without_ends_serve_routes_that_name_them() -> None:
    bus = Link(name="bus", bandwidth_byte_s=1.0)
    network = from_links(["a", "b"], [bus], {("a", "b"): ["bus"]})
    there, back = network.route("a", "b"), network.route("b", "a")
    assert there == (Hop("bus", forward=True),)
    assert back == (Hop("bus", forward=False),)


def test_parts_without_a_way_between_them() -> None:
    network = from_links(["a", "b", "c"], [link("x", "a", "b")])
    assert network.route("a", "c") is None
    assert set(network.routes) == {("a", "b"), ("b", "a")}


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ({("a", "b"): ["z"]}, "no link is named 'z'"),
        ({("a", "q"): ["x"]}, "no node is named 'q'"),
        ({("a", "b"): ["y"]}, "does not start at a"),
        ({("a", "b"): ["x"]}, "ends at s, not at b"),
        ({("a", "b"): []}, "at least one link"),
        ({("a", "a"): ["x"]}, "reaches itself"),
        ({("a", "b"): ["x", "x", "x", "y"]}, "crosses link 'x' twice"),
    ],
)
def test_bad_routes(routes: dict[tuple[str, str], list[str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_links(["a", "b"], [link("x", "a", "s"), link("y", "s", "b")], routes)


def test_two_links_of_one_name() -> None:
    with pytest.raises(InputError, match="two links are named 'x'"):
        from_links(["a", "b"], [link("x", "a", "b"), link("x", "a", "b")])


def test_direction_after_a_link_without_ends_is_told_by_what_follows() -> None:
    # The bus leads from a to somewhere; the link b-s is then crossed from s to b, backward.
    bus = Link(name="bus", bandwidth_byte_s=1.0)
    links = [bus, link("x", "b", "s"), link("y", "s", "c")]
    network = from_links(["a", "b", "c"], links, {("a", "b"): ["bus", "x"]})
    assert network.route("a", "b") == (Hop("bus"), Hop("x", forward=False))
    assert network.route("b", "a") == (Hop("x"), Hop("bus", forward=False))
    with pytest.raises(InputError, match="ends at c or s, not at b"):
        from_links(["a", "b", "c"], links, {("a", "b"): ["bus", "y"]})


def test_both_ways_over_a_link_without_ends_keep_apart_when_both_are_given() -> None:
    bus = Link(name="bus", bandwidth_byte_s=1.0)
    routes = {("a", "b"): ["x", "bus"], ("b", "a"): ["bus", "x"]}
    network = from_links(["a", "b"], [link("x", "a", "s"), bus], routes)
    assert network.route("a", "b") == (Hop("x"), Hop("bus"))
    assert network.route("b", "a") == (Hop("bus", forward=False), Hop("x", forward=False))


def test_fewest_links_decide_among_latencies_that_only_rounding_tells_apart() -> None:
    # 0.1 + 0.2 is more than 0.3 in floating point; the detour beats it by nothing at all.
    links = [link("far", "a", "b", 0.1 + 0.2), link("x", "a", "s", 0.1), link("y", "s", "b", 0.2)]
    assert from_links(["a", "b"], links).route("a", "b") == (Hop("far"),)


def test_a_hop_never_outweighs_a_latency_however_unlike_the_links() -> None:
    links = [link("far", "a", "b", 1.0)]
    chain = ["a", *(f"s{i}" for i in range(6)), "b"]
    latencies = [0.5, 0.5 - 1e-12, 0, 0, 0, 0, 0]
    links += [link(f"l{i}", chain[i], chain[i + 1], latency) for i, latency in enumerate(latencies)]
    hops = from_links(["a", "b"], links).route("a", "b")
    assert hops is not None
    assert [hop.link for hop in hops] == [f"l{i}" for i in range(7)]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Link(name="x", bandwidth_byte_s=1.0, ends=("a", "a")), "joins 'a' to itself"),
        (Link(name="x", bandwidth_byte_s=1.0), "names no ends and no route crosses it"),
        (Link(name="x", bandwidth_byte_s=0.0, ends=("a", "b")), "positive, finite bandwidth"),
        (Link(name="x", bandwidth_byte_s=float("inf"), ends=("a", "b")), "finite bandwidth"),
        (link("x", "a", "b", float("nan")), "finite latency of 0 or more, got nan"),
    ],
)
def test_bad_links(bad: Link, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_links(["a", "b"], [bad], {})


def test_link_without_ends_that_no_given_route_crosses() -> None:
    links = [link("x", "a", "b"), Link(name="bus", bandwidth_byte_s=1.0)]
    with pytest.raises(InputError, match="'bus' names no ends and no route crosses it"):
        from_links(["a", "b"], links, {("a", "b"): ["x"]})


def test_two_nodes_of_one_name() -> None:
    with pytest.raises(InputError, match="two nodes are named 'a'"):
        from_links(["a", "a"], [])
    with pytest.raises(InputError, match="two nodes are named 'a'"):
        star(["a", "a"], bandwidth_byte_s=1.0, latency_s=0.0)
    with pytest.raises(InputError, match="two nodes are named 'a'"):
        wifi(["a", "a"], bandwidth_byte_s=1.0, latency_s=0.0)


@given(st.integers(0, 10_000))
@settings(max_examples=60)
def test_paths_are_the_shortest_of_networkx_and_join_up(seed: int) -> None:
    import random

    draw = random.Random(seed)
    names = [f"n{i}" for i in range(6)]
    links = []
    for index in range(draw.randint(3, 12)):
        a, b = draw.sample(names, 2)
        links.append(link(f"l{index}", a, b, draw.choice([0.5, 1.0, 1.0, 3.0])))
    network = from_links(names, links)
    graph: nx.MultiGraph[str] = nx.MultiGraph()
    graph.add_nodes_from(names)
    for one in links:
        assert one.ends
        graph.add_edge(*one.ends, weight=one.latency_s)
    for a in names:
        lengths = nx.single_source_dijkstra_path_length(graph, a)
        for b in names:
            hops = network.route(a, b)
            assert (hops is None) == (b not in lengths)
            if hops is None:
                continue
            place = a
            for hop in hops:
                ends = network.links[hop.link].ends
                assert ends
                start, stop = ends if hop.forward else ends[::-1]
                assert start == place
                place = stop
            assert place == b
            total = sum(network.links[hop.link].latency_s for hop in hops)
            assert total == pytest.approx(lengths[b])


def test_a_thousand_nodes_make_no_million_routes() -> None:
    network = star([f"n{i}" for i in range(1000)], bandwidth_byte_s=1.0, latency_s=0.0)
    assert network.route("n3", "n997") == (Hop("n3-switch"), Hop("n997-switch", forward=False))
    assert len(network.routes._made) == 1  # type: ignore[attr-defined]

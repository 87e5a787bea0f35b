"""Networks: a star, one shared medium, or any links with routes found or given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

from edgesim.common.errors import InputError, nearest
from edgesim.hardware.network import Duplex, Hop, Link, Network

if TYPE_CHECKING:
    import networkx as nx

Routes = Mapping[tuple[str, str], tuple[Hop, ...]]
Made = dict[tuple[str, str], tuple[Hop, ...] | None]


def star(nodes: Sequence[str], **figures: Any) -> Network:
    """Return a star: a link ``NODE-switch`` from every node to one switch.

    Each link has the whole bandwidth and latency, so two nodes are two latencies apart.

    Args:
        nodes: names of the nodes.
        figures: figures of each link, as fields of `Link`.

    Raises:
        InputError: two nodes share a name, or a figure makes no sense.
    """
    _distinct(nodes)
    links = (Link(name=f"{node}-switch", ends=(node, "switch"), **figures) for node in nodes)
    return Network(links=_by_name(links), routes=_Star(tuple(nodes)))


ROUTER, NO_ACCESS_POINT = "router", "none"
"""Words for an access point that is no node, and for a medium without one."""


def wifi(nodes: Sequence[str], access_point: str = ROUTER, **figures: Any) -> Network:
    """Return one medium, ``wifi``, that all flows share.

    Stations talk through the access point (IEEE 802.11, infrastructure mode): a route between two
    of them crosses the medium twice, with its latency each time and its bytes counted each time;
    a route from or to the access point crosses it once.

    Args:
        nodes: names of the nodes.
        access_point: name of the node that is the access point; ``router`` where none of the nodes
            is, and ``none`` where nodes talk to each other directly.
        figures: figures of the medium, as fields of `Medium`.

    Raises:
        InputError: two nodes share a name, a figure makes no sense, a node has one of the reserved
            words as its name, or no node has that of the access point.
    """
    _distinct(nodes)
    words = (ROUTER, NO_ACCESS_POINT)
    for name in nodes:
        if name in words:
            raise InputError(
                f"node '{name}' has a reserved name on a Wi-Fi network: 'router' and 'none' say "
                "what its access point is; call the node something else"
            )
    if access_point not in (*words, *nodes):
        raise InputError(
            f"no node is named '{access_point}'{nearest(access_point, [*words, *nodes])}; the "
            "access point is a node, 'router' where it is none of the nodes, or 'none' where they "
            "talk to each other directly"
        )
    medium = Link(name="wifi", duplex=Duplex.SHARED, **figures)
    return Network(links=_by_name([medium]), routes=_Medium(tuple(nodes), access_point))


def from_links(
    nodes: Sequence[str],
    links: Sequence[Link],
    routes: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> Network:
    """Return a network of links.

    Args:
        nodes: names of the nodes; other names at the ends of links are switches.
        links: names must be unique.
        routes: names of the links from one node to another, in order. A route counts for the
            opposite direction too, unless that is given. Pairs without one take the shortest path
            over links that name their two ends: least latency, then fewest links; both directions
            over the same ones.

    A link that names its ends is crossed forward from the first to the second. One that does not
    is crossed forward by the routes whose two nodes stand in alphabetical order.

    Raises:
        InputError: two nodes or links share a name; a link joins a node to itself, has a figure
            that makes no sense, or no ends and, though routes are given, none that crosses it; a
            route names an unknown link or node, crosses a link twice, or its links do not join up.
    """
    _distinct(nodes)
    by_name = _by_name(links)
    used = {name for crossed in (routes or {}).values() for name in crossed}
    for link in links:
        if link.ends is not None and link.ends[0] == link.ends[1]:
            raise InputError(
                f"link '{link.name}' joins '{link.ends[0]}' to itself; expected two different ends"
            )
        if link.ends is None and routes is not None and link.name not in used:
            raise InputError(
                f"link '{link.name}' names no ends and no route crosses it; give it "
                "'ends', or a route"
            )
    known = dict.fromkeys(nodes)
    given: dict[tuple[str, str], tuple[Hop, ...]] = {}
    for ends, crossed in (routes or {}).items():
        given[ends] = _checked(ends, crossed, known, by_name)
    back = {(b, a): _reversed(hops) for (a, b), hops in given.items() if (b, a) not in given}
    return Network(links=by_name, routes=_Paths(tuple(nodes), by_name, given | back))


def _distinct(nodes: Sequence[str]) -> None:
    seen: set[str] = set()
    for node in nodes:
        if node in seen:
            raise InputError(f"two nodes are named '{node}'")
        seen.add(node)


def _by_name(links: Iterable[Link]) -> dict[str, Link]:
    """Return the links by name, their names and figures checked."""
    by_name: dict[str, Link] = {}
    for link in links:
        if link.name in by_name:
            raise InputError(f"two links are named '{link.name}'")
        if not (isfinite(link.bandwidth_byte_s) and link.bandwidth_byte_s > 0.0):
            raise InputError(
                f"link '{link.name}' needs a positive, finite bandwidth, "
                f"got {link.bandwidth_byte_s} bytes per second"
            )
        if not (isfinite(link.latency_s) and link.latency_s >= 0.0):
            raise InputError(
                f"link '{link.name}' needs a finite latency of 0 or more, got {link.latency_s} s"
            )
        by_name[link.name] = link
    return by_name


def _checked(
    ends: tuple[str, str],
    crossed: Sequence[str],
    nodes: Mapping[str, None],
    links: Mapping[str, Link],
) -> tuple[Hop, ...]:
    """Return the hops of a given route, in the direction in which each link is crossed."""
    title = f"route from '{ends[0]}' to '{ends[1]}'"
    for end in ends:
        if end not in nodes:
            raise InputError(f"{title}: no node is named '{end}'{nearest(end, list(nodes))}")
    if ends[0] == ends[1]:
        raise InputError(f"{title}: a node reaches itself without a route")
    if not crossed:
        raise InputError(f"{title}: expected at least one link")
    # Where the route may be by now, and how it came there; None after a link without ends, from
    # which it may go on anywhere.
    reached: dict[str | None, tuple[Hop, ...]] = {ends[0]: ()}
    for index, name in enumerate(crossed):
        link = links.get(name)
        if link is None:
            raise InputError(f"{title}: no link is named '{name}'{nearest(name, list(links))}")
        if name in crossed[:index]:
            raise InputError(f"{title}: crosses link '{name}' twice")
        onward: dict[str | None, tuple[Hop, ...]] = {}
        for place, hops in reached.items():
            if link.ends is None:
                onward[None] = (*hops, Hop(name, ends[0] < ends[1]))
                continue
            first, second = link.ends
            if place in (first, None):
                onward[second] = (*hops, Hop(name))
            if place in (second, None):
                onward[first] = (*hops, Hop(name, forward=False))
        if not onward:
            assert link.ends is not None
            raise InputError(
                f"{title}: link '{name}' joins {link.ends[0]} and {link.ends[1]}, "
                f"and does not start at {_places(reached)}"
            )
        reached = onward
    for place in (ends[1], None):
        if place in reached:
            return reached[place]
    raise InputError(f"{title}: link '{crossed[-1]}' ends at {_places(reached)}, not at {ends[1]}")


def _places(reached: Mapping[str | None, object]) -> str:
    return " or ".join(str(place) for place in reached)


def _reversed(hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    return tuple(Hop(hop.link, not hop.forward) for hop in reversed(hops))


class _OnDemand(Mapping[tuple[str, str], tuple[Hop, ...]]):
    """Routes that are made when they are asked for: a thousand nodes have a million pairs."""

    def __init__(self, nodes: tuple[str, ...]) -> None:
        self._nodes = dict.fromkeys(nodes)
        self._made: Made = {}

    def __getitem__(self, ends: tuple[str, str]) -> tuple[Hop, ...]:
        if ends not in self._made:
            known = ends[0] in self._nodes and ends[1] in self._nodes and ends[0] != ends[1]
            self._made[ends] = self._find(*ends) if known else None
        hops = self._made[ends]
        if hops is None:
            raise KeyError(ends)
        return hops

    def _find(self, source: str, target: str) -> tuple[Hop, ...] | None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (
            (source, target)
            for source in self._nodes
            for target in self._nodes
            if source != target and self.get((source, target)) is not None
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Star(_OnDemand):
    def _find(self, source: str, target: str) -> tuple[Hop, ...]:
        return (Hop(f"{source}-switch"), Hop(f"{target}-switch", forward=False))


class _Medium(_OnDemand):
    def __init__(self, nodes: tuple[str, ...], access_point: str) -> None:
        super().__init__(nodes)
        self._access_point = access_point

    def _find(self, source: str, target: str) -> tuple[Hop, ...]:
        direct = self._access_point in (NO_ACCESS_POINT, source, target)
        return (Hop("wifi"),) * (1 if direct else 2)


class _Paths(_OnDemand):
    def __init__(self, nodes: tuple[str, ...], links: Mapping[str, Link], given: Routes) -> None:
        super().__init__(nodes)
        self._made.update(given)
        self._links = links

    @cached_property
    def _graph(self) -> nx.Graph[str]:
        """Graph in which routes are searched; made at first use, as networkx loads slowly."""
        import networkx as nx

        graph: nx.Graph[str] = nx.Graph()
        graph.add_nodes_from(self._nodes)
        for link in self._links.values():
            if link.ends is None:
                continue
            # Whole femtoseconds, so that sums are exact, times more than any path has links: the
            # number of links decides among equal latencies and never outweighs one.
            weight = round(link.latency_s * 1e15) * (len(self._links) + 1) + 1
            edge = graph.get_edge_data(*link.ends)
            if edge is None or weight < edge["weight"]:
                graph.add_edge(*link.ends, weight=weight, link=link)
        return graph

    def _find(self, source: str, target: str) -> tuple[Hop, ...] | None:
        if source > target:
            # Both directions take the same links, also where two paths are equally short.
            back = self.get((target, source))
            return None if back is None else _reversed(back)
        import networkx as nx

        try:
            _, path = nx.bidirectional_dijkstra(self._graph, source, target, weight="weight")
        except nx.NetworkXNoPath:
            return None
        hops = []
        for here, there in pairwise(path):
            link: Link = self._graph.edges[here, there]["link"]
            assert link.ends is not None
            hops.append(Hop(link.name, forward=link.ends[0] == here))
        return tuple(hops)

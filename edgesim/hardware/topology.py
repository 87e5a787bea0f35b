"""Networks: a star, one shared medium, or any links with routes found or given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import networkx as nx

from edgesim.errors import InputError, nearest
from edgesim.hardware.network import Duplex, Hop, Link, Network

Routes = Mapping[tuple[str, str], tuple[Hop, ...]]
Made = dict[tuple[str, str], tuple[Hop, ...] | None]


def star(
    nodes: Sequence[str],
    *,
    bandwidth_byte_s: float,
    latency_s: float,
    duplex: Duplex = Duplex.FULL,
    energy_per_byte_j: float = 0.0,
    power_w: float = 0.0,
) -> Network:
    """Return a star: a link ``NODE-switch`` from every node to one switch.

    Each link has the whole bandwidth and latency, so two nodes are two latencies apart.
    """
    links = {
        node: Link(
            name=f"{node}-switch",
            bandwidth_byte_s=bandwidth_byte_s,
            latency_s=latency_s,
            duplex=duplex,
            ends=(node, "switch"),
            power_w=power_w,
            energy_per_byte_j=energy_per_byte_j,
        )
        for node in nodes
    }
    return Network(links={link.name: link for link in links.values()}, routes=_Star(tuple(nodes)))


def wifi(
    nodes: Sequence[str],
    *,
    bandwidth_byte_s: float,
    latency_s: float,
    energy_per_byte_j: float = 0.0,
    power_w: float = 0.0,
) -> Network:
    """Return one medium, ``wifi``, that all flows share; a route crosses it once."""
    medium = Link(
        name="wifi",
        bandwidth_byte_s=bandwidth_byte_s,
        latency_s=latency_s,
        duplex=Duplex.SHARED,
        power_w=power_w,
        energy_per_byte_j=energy_per_byte_j,
    )
    return Network(links={medium.name: medium}, routes=_Medium(tuple(nodes)))


def from_links(
    nodes: Sequence[str],
    links: Sequence[Link],
    routes: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> Network:
    """Return a network of links.

    Args:
        nodes: names of the nodes; other names at the ends of links are switches.
        links: names must be unique.
        routes: names of the links from one node to another, in order. A route counts for the way
            back too, unless that is given. Pairs without one take the shortest path over links
            that name their two ends: least latency, then fewest links, then in order of the file.

    Raises:
        InputError: two links share a name, a route names an unknown link or node, or its links do
            not join up.
    """
    by_name: dict[str, Link] = {}
    for link in links:
        if link.name in by_name:
            raise InputError(f"network: two links are named '{link.name}'")
        by_name[link.name] = link
    given: dict[tuple[str, str], tuple[Hop, ...]] = {}
    for ends, crossed in (routes or {}).items():
        given[ends] = _checked(ends, crossed, nodes, by_name)
    back = {(b, a): _reversed(hops) for (a, b), hops in given.items() if (b, a) not in given}
    return Network(links=by_name, routes=_Paths(tuple(nodes), by_name, given | back))


def _checked(
    ends: tuple[str, str], crossed: Sequence[str], nodes: Sequence[str], links: Mapping[str, Link]
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
    hops = []
    place: str | None = ends[0]
    for name in crossed:
        link = links.get(name)
        if link is None:
            raise InputError(f"{title}: no link is named '{name}'{nearest(name, list(links))}")
        forward = True
        if link.ends is not None:
            if place is not None and place not in link.ends:
                raise InputError(
                    f"{title}: link '{name}' joins {link.ends[0]} and {link.ends[1]}, "
                    f"and does not start at {place}"
                )
            forward = place != link.ends[1]
            place = link.ends[1] if forward else link.ends[0]
        elif len(crossed) > 1:
            place = None
        else:
            # A link without ends, alone: its direction is told by the order of the two names.
            forward = ends[0] < ends[1]
        hops.append(Hop(name, forward))
    if links[crossed[-1]].ends is not None and place != ends[1]:
        raise InputError(f"{title}: link '{crossed[-1]}' ends at {place}, not at {ends[1]}")
    return tuple(hops)


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
    def _find(self, source: str, target: str) -> tuple[Hop, ...]:
        return (Hop("wifi"),)


class _Paths(_OnDemand):
    def __init__(self, nodes: tuple[str, ...], links: Mapping[str, Link], given: Routes) -> None:
        super().__init__(nodes)
        self._made.update(given)
        self._graph: nx.Graph[str] = nx.Graph()
        self._graph.add_nodes_from(nodes)
        # A hop counts for less than any latency, so that it only breaks ties.
        tie = 1e-6 * min((link.latency_s for link in links.values() if link.latency_s), default=1.0)
        for link in links.values():
            if link.ends is None:
                continue
            weight = link.latency_s + tie / max(1, len(links))
            edge = self._graph.get_edge_data(*link.ends)
            if edge is None or weight < edge["weight"]:
                self._graph.add_edge(*link.ends, weight=weight, link=link)

    def _find(self, source: str, target: str) -> tuple[Hop, ...] | None:
        if source > target:
            # Both ways take the same links, also where two paths are equally short.
            back = self.get((target, source))
            return None if back is None else _reversed(back)
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

"""Energy and utilization of nodes and links: exact integrals of power over their states."""

from __future__ import annotations

from collections.abc import Mapping

from edgesim.hardware import Cluster, Network, Node
from edgesim.simulate.ports import Port
from edgesim.simulate.recording import LinkTotals, NodeTotals
from edgesim.simulate.routes import Channel
from edgesim.simulate.server import Server
from edgesim.simulate.work import Move


def node_totals(
    servers: Mapping[str, Server],
    ports: Mapping[str, Port],
    down_s: Mapping[str, float],
    off_s: Mapping[str, float],
    duration_s: float,
) -> dict[str, NodeTotals]:
    """Return the totals of each node after ``duration_s``.

    Joules = idle power over the time that it has power, plus what running work drew above idle,
    plus what sending and receiving draw above idle while at least one flow leaves or enters. The
    idle power of a machine that nodes share is drawn once, in equal parts.
    """
    totals = {}
    for name, server in servers.items():
        port = ports[name]
        idle_s = duration_s - off_s.get(name, 0.0)
        sending_w, receiving_w = port_watts(server.node)
        ports_j = sending_w * port.sending_s + receiving_w * port.receiving_s
        idle_s *= server.idle_share
        energy = server.node.device.power.idle_w * idle_s + server.joules_above_idle + ports_j
        totals[name] = NodeTotals(
            busy_s=server.busy_s,
            sending_s=port.sending_s,
            receiving_s=port.receiving_s,
            down_s=down_s.get(name, 0.0),
            off_s=off_s.get(name, 0.0),
            energy_j=energy,
            energy_by_part_j=server.joules_by_part(idle_s, ports_j),
            max_queue=server.max_queue,
            executions=server.executions,
        )
    return totals


def port_watts(node: Node) -> tuple[float, float]:
    """Return what sending and receiving draw above idle, in watts."""
    power = node.device.power
    sending = 0.0 if power.sending_w is None else power.sending_w - power.idle_w
    receiving = 0.0 if power.receiving_w is None else power.receiving_w - power.idle_w
    return sending, receiving


def link_totals(
    network: Network, channels: Mapping[tuple[str, bool], Channel], duration_s: float
) -> dict[str, LinkTotals]:
    """Return the totals of each link after ``duration_s``.

    Joules = constant power over the whole time plus joules for each byte. Utilization is carried
    bytes over what could have been carried, of the busier direction.
    """
    totals = {}
    for name, link in network.links.items():
        directions = [channels.get((name, forward)) for forward in (True, False)]
        carried = [channel.bytes if channel else 0.0 for channel in directions]
        whole = link.bandwidth_byte_s * duration_s
        totals[name] = LinkTotals(
            bytes=sum(carried),
            energy_j=link.power_w * duration_s + link.energy_per_byte_j * sum(carried),
            utilization=max(carried) / whole if whole > 0.0 else 0.0,
        )
    return totals


def transfer_joules(move: Move, cluster: Cluster) -> float:
    """Return what the links draw for the bytes of one move."""
    hops = cluster.network.route(move.source_node, move.target_node) or ()
    links = cluster.network.links
    return sum(links[hop.link].energy_per_byte_j for hop in hops) * move.size

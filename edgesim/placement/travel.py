"""How long data travels between two nodes of an idle network."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from edgesim.hardware import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Travel:
    """The way from one node to another: fixed seconds, and seconds for each byte.

    ``per_byte_s`` is the slowest link's, ``software_per_byte_s`` the two ends' software.
    """

    fixed_s: float = 0.0
    per_byte_s: float = 0.0
    software_per_byte_s: float = 0.0

    def latency_s(self, size: float) -> float:
        """Return the seconds from the start of sending to the last byte in the receiver's hands."""
        if size <= 0.0:
            return self.fixed_s
        return self.fixed_s + size * (self.per_byte_s + self.software_per_byte_s)


def travel(cluster: Cluster, source: str, target: str) -> Travel:
    """Return the way from ``source`` to ``target``; infinitely long where there is none."""
    if source == target:
        return Travel()
    hops = cluster.network.route(source, target)
    if hops is None:
        return Travel(fixed_s=inf)
    links = [cluster.network.links[hop.link] for hop in hops]
    ends = [cluster.nodes[name].device.messaging for name in (source, target)]
    return Travel(
        fixed_s=sum(link.latency_s for link in links) + sum(end.per_message_s for end in ends),
        per_byte_s=max(1.0 / link.bandwidth_byte_s for link in links),
        software_per_byte_s=sum(end.per_byte_s for end in ends),
    )

"""Machines of a network on this one: network namespaces around a switch, over rate-limited links.

Everything lies in namespaces; nothing is left in the one that this process is in. It takes root and
iproute2 (``ip`` and ``tc``). A link's rate is held at both of its ends by a token bucket.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests import needs

NETWORKS = Path("/run/netns")
IN_NETWORK = ["ip", "netns", "exec"]
"""What a command begins with, before the name of a namespace, that shall run in it."""
_PREFIX = "edgesim-test"
_SWITCH = "switch"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Rate:
    """Of a link, in each direction.

    Attributes:
        byte_s: bytes per second on the wire.
        burst_bytes: that an idle link lets through at once.
    """

    byte_s: float
    burst_bytes: int = 16_384


@dataclass(frozen=True, slots=True)
class Star:
    """Nodes around a switch; without namespaces, all of them on loopback.

    Attributes:
        addresses: IP address of every node, by name.
        rate: of every link; None on loopback.
    """

    addresses: dict[str, str]
    rate: Rate | None
    _prefix: str = ""

    def inside(self, node: str) -> list[str]:
        """Return what a command begins with that shall run on a node."""
        return [*IN_NETWORK, self._prefix + node] if self._prefix else []

    def ends(self, node: str) -> list[tuple[list[str], str]]:
        """Return what a command begins with at each end of a node's link, and its device there."""
        port = f"port{list(self.addresses).index(node)}"
        return [(self.inside(node), "eth0"), (self.inside(_SWITCH), port)]

    def cut(self, node: str) -> None:
        """Pull a node's plug."""
        _run("ip", "-n", self._prefix + node, "link", "set", "eth0", "down")

    def mend(self, node: str) -> None:
        """Put a node's plug in again."""
        _run("ip", "-n", self._prefix + node, "link", "set", "eth0", "up")

    def carried(self, node: str) -> tuple[int, int]:
        """Return the bytes that a node sent and received over its link, as the kernel counts."""
        told = _run(*self.inside(node), "cat", "/proc/net/dev")
        (line,) = [line for line in told.splitlines() if line.strip().startswith("eth0:")]
        columns = line.partition(":")[2].split()
        return int(columns[8]), int(columns[0])


@contextmanager
def star(names: Sequence[str], rate: Rate) -> Iterator[Star]:
    """Make a star of namespaces; it does not outlive its test, and what runs in it neither.

    Where :func:`lacking` tells why there can be none, the star is of loopback.
    """
    if lacking():
        yield Star(dict.fromkeys(names, "127.0.0.1"), None)
        return
    remove_stale()
    prefix = f"{_owner('self')}-{next(_numbers)}-"
    addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, 1)}
    try:
        _lay(prefix, addresses, rate)
        yield Star(addresses, rate, prefix)
    finally:
        _remove(name for name in everyones() if name.startswith(prefix))


@cache
def lacking() -> str | None:
    """Return why this process can make no namespaces; None where it can."""
    if not needs.NETWORKS.found:
        return needs.NETWORKS.reason
    prefix = f"{_owner('self')}-0-"
    try:
        _lay(prefix, {"a": "10.77.0.1"}, Rate(1e6))
        _run("ip", "netns", "exec", f"{prefix}a", "true")
    except subprocess.CalledProcessError as error:
        return f"network namespaces are not permitted: {error.stderr.strip()}"
    finally:
        _remove(name for name in everyones() if name.startswith(prefix))
    return None


def remove_stale() -> list[str]:
    """Remove the namespaces of processes that are no more; return their names."""
    stale = [name for name in everyones() if not is_of(name, name.split("-")[2])]
    _remove(stale)
    return stale


def _lay(prefix: str, addresses: dict[str, str], rate: Rate) -> None:
    switch = prefix + _SWITCH
    _run("ip", "netns", "add", switch)
    _run("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
    _run("ip", "-n", switch, "link", "set", "br0", "up")
    for number, (name, address) in enumerate(addresses.items()):
        node, port = prefix + name, f"port{number}"
        _run("ip", "netns", "add", node)
        ends = ("eth0", "netns", node, "type", "veth", "peer", "name", port, "netns", switch)
        _run("ip", "link", "add", *ends)
        _run("ip", "-n", switch, "link", "set", port, "master", "br0", "up")
        _run("ip", "-n", node, "address", "add", f"{address}/24", "dev", "eth0")
        for end in ("lo", "eth0"):
            _run("ip", "-n", node, "link", "set", end, "up")
        for where, end in ((node, "eth0"), (switch, port)):
            bucket = ("rate", f"{rate.byte_s * 8:.0f}bit", "burst", str(rate.burst_bytes))
            # As much may wait as no connection of a test has under way: nothing is dropped.
            waiting = ("limit", str(64 << 20))
            _run("tc", "-n", where, "qdisc", "add", "dev", end, "root", "tbf", *bucket, *waiting)


def _remove(names: Iterator[str] | Sequence[str]) -> None:
    """Remove namespaces, and end what runs in them, which would keep them alive."""
    for name in list(names):
        found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
        for pid in map(int, found.stdout.split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def everyones() -> list[str]:
    """Return the names of namespaces that were made here, by this process or another one."""
    if not NETWORKS.is_dir():
        return []
    return sorted(path.name for path in NETWORKS.iterdir() if path.name.startswith(f"{_PREFIX}-"))


def is_of(name: str, process: int | str) -> bool:
    """Return whether a namespace is of a process that runs: its number, or ``self``."""
    try:
        return name.startswith(f"{_owner(process)}-")
    except OSError:
        return False


def _owner(process: int | str) -> str:
    """Return what the names of a process's namespaces begin with.

    With the time at which it began: numbers of processes are used again.
    """
    told = Path(f"/proc/{process}/stat").read_text()
    fields = told.rpartition(")")[2].split()
    return f"{_PREFIX}-{told.split()[0]}-{fields[19]}"


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout

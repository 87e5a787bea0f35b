"""A node process on this machine that a profile measures: started, given models, and ended."""

from __future__ import annotations

import json
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesim.common.errors import EdgesimError
from edgesim.serve.access import Access, read_access
from edgesim.serve.keys import make_keys
from edgesim.serve.manifest import SignedManifest

_START_TIMEOUT_S = 120.0
"""Longest start of a node, on the slowest board."""
_STOP_TIMEOUT_S = 5.0
_QUEUE = 4096
"""Requests that may wait: a client that was delayed sends all overdue requests at once."""
_HOST = "localhost"
NODE = "node"
"""Name of the node in requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running node.

    Attributes:
        pid: identifier of its process.
        address: HOST:PORT of the inference service.
        client: keys of its client.
        threads: threads of torch.
    """

    pid: int
    address: str
    client: Access
    threads: int
    _admin: str
    _keys: Path
    _plain: bool

    async def deploy(self, artifact: Path) -> SignedManifest:
        """Deploy all models of an artifact; return their manifest.

        Raises:
            InputError: the folder is no artifact, or was changed.
            EdgesimError: the node refuses it.
        """
        from edgesim.serve.coordinator.work import Target
        from edgesim.serve.deploy import deploy, pack

        package = pack(artifact, self._keys / "admin")
        target = Target(NODE, self.address, self._admin, tuple(package.paths))
        access = read_access(self._keys / "admin", plain=self._plain)
        # The generator only spaces retries.
        (row,) = await deploy([target], package, access, generator=random.Random(self.pid))
        if row.error is not None:
            raise EdgesimError(f"cannot profile the models of {artifact}: {row.error}")
        return package.manifest

    def processor_s(self) -> float:
        """Return the processor time that the process has used, in seconds."""
        return processor_s(self.pid)


def processor_s(pid: int) -> float:
    """Return the processor time of a process in seconds, including threads that have ended.

    On Linux it is read in nanoseconds from the clock of the process (``clock_getcpuclockid``
    computes the clock's number); elsewhere in ticks of the system.
    """
    if sys.platform == "linux":
        try:
            return 1e-9 * time.clock_gettime_ns((~pid << 3) | 2)
        except OSError:
            pass
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def started(
    folder: Path, *, threads: int, cpus: frozenset[int] | None, plain: bool
) -> Iterator[Child]:
    """Start a node on free ports of loopback, with keys of its own; it ends with the block.

    Args:
        folder: empty folder for its keys and its store.
        threads: threads of torch.
        cpus: processors that it may use; None for all.
        plain: whether messages are sent without TLS.

    Raises:
        EdgesimError: it does not start.
    """
    keys = folder / "keys"
    make_keys(keys, [_HOST])
    options = ["--threads", str(threads), "--queue", str(_QUEUE)]
    if cpus is not None:
        options += ["--cpus", ",".join(map(str, sorted(cpus)))]
    if plain:
        options.append("--plain")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "edgesim", "node", "--listen", "127.0.0.1:0"),
            *("--store", str(folder / "store"), "--keys", str(keys / _HOST), *options),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # An interrupt of the profile must not reach the node, which ends by a signal of its own.
        start_new_session=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        listening = _wait_for(lines, "listening")
        _wait_for(lines, "ready")
        yield Child(
            pid=process.pid,
            address=listening["inference"],
            client=read_access(keys / "client", plain=plain),
            threads=threads,
            _admin=listening["admin"],
            _keys=keys,
            _plain=plain,
        )
    finally:
        _end(process, reader)


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        lines.put(line)
    lines.put(None)


def _wait_for(lines: queue.Queue[str | None], event: str) -> dict[str, Any]:
    """Wait for an event in a node's log; return its fields."""
    last = ""
    while True:
        try:
            line = lines.get(timeout=_START_TIMEOUT_S)
        except queue.Empty:
            raise EdgesimError(f"the node of the profile was not {event} in time") from None
        if line is None:
            raise EdgesimError(f"the node of the profile ended before it was {event}: {last}")
        last = line.strip().removeprefix("edgesim: ")
        try:
            found: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        if found.get("event") == event:
            return found


def _end(process: subprocess.Popen[str], reader: threading.Thread) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    reader.join(_STOP_TIMEOUT_S)
    assert process.stderr is not None
    process.stderr.close()


def others(cpus: Sequence[int], node: frozenset[int] | None) -> frozenset[int] | None:
    """Return the processors of the client: those without the node; None where no other is left."""
    left = frozenset(cpus) - (node or frozenset(cpus))
    return left or None

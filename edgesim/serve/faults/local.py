"""Carries out orders on the processes and links of this machine.

``python -m edgesim.serve.faults.local CLUSTER.json`` reads orders from its input, one a line (see
`edgesim.serve.faults.driver`), and answers each with ``ok`` or ``error`` and why. The file says
how every node is started, where it runs now, and which commands change a link (netem takes a
``{loss_percent}``)::

    {"nodes": {"pi-0": {"pid": 4711, "start": ["edgesim", "node", "--listen", ...]}},
     "links": {"pi-0-switch": {"cut": [["ip", "link", "set", "eth0", "down"]],
                               "mend": [["ip", "link", "set", "eth0", "up"]],
                               "degrade": [["tc", ..., "{bandwidth}", "{latency}", "{loss}"]]}}}

A node that crashes is killed, and started again when it is repaired; one that freezes is stopped;
a slow one runs for its share of every 20 ms. What it started stays when it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PERIOD_S = 0.02
"""Of a slow node's turns; short beside a request, long beside a scheduler's tick."""


class _Node:
    """One node's process."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self._pid: int | None = int(entry["pid"])
        self._start = [str(word) for word in entry["start"]]
        self._child: subprocess.Popen[bytes] | None = None
        self._slow: threading.Event | None = None
        self._turns: threading.Thread | None = None

    def crash(self) -> None:
        self.restore()
        self._send(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()
        self._pid = None

    def repair(self) -> None:
        if self._pid is not None:
            return
        quiet = subprocess.DEVNULL
        self._child = subprocess.Popen(
            self._start, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        self._pid = self._child.pid

    def freeze(self) -> None:
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def slow(self, speed: float) -> None:
        if not 0.0 < speed < 1.0:
            raise ValueError(f"expected a speed between 0 and 1, got {speed:g}")
        self.restore()
        ended = self._slow = threading.Event()
        self._turns = threading.Thread(target=self._take_turns, args=(speed, ended), daemon=True)
        self._turns.start()

    def _take_turns(self, speed: float, ended: threading.Event) -> None:
        while not ended.is_set():
            self._quietly(signal.SIGSTOP)
            ended.wait((1.0 - speed) * PERIOD_S)
            self._quietly(signal.SIGCONT)
            ended.wait(speed * PERIOD_S)

    def restore(self) -> None:
        if self._slow is not None and self._turns is not None:
            self._slow.set()
            self._turns.join()
            self._quietly(signal.SIGCONT)
        self._slow = self._turns = None

    def _send(self, number: int) -> None:
        if self._pid is None:
            raise ValueError("it does not run")
        os.kill(self._pid, number)

    def _quietly(self, number: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._send(number)


class Local:
    """The nodes and links of a file."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._nodes = {name: _Node(entry) for name, entry in document.get("nodes", {}).items()}
        self._links = document.get("links", {})

    def carry_out(self, text: str) -> None:
        """Carry out one order.

        Raises:
            ValueError: it is none, or names what the file does not have.
            OSError: the system refused.
            CalledProcessError: a link's command failed.
        """
        what, name, *rest = text.split()
        if what in ("cut", "mend", "degrade"):
            values: dict[str, str] = dict(zip(("bandwidth", "latency", "loss"), rest, strict=False))
            if "loss" in values:
                values["loss_percent"] = f"{100 * float(values['loss']):g}"
            for command in self._links[name][what]:
                words = [word.format(**values) for word in command]
                subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL)
            return
        node = self._nodes[name]
        match what:
            case "crash" | "repair" | "freeze" | "thaw" | "restore":
                getattr(node, what)()
            case "slow":
                node.slow(float(rest[0]))
            case _:
                raise ValueError(f"no order is '{what}'")

    def close(self) -> None:
        """Let every slow node run freely."""
        for node in self._nodes.values():
            node.restore()


def main() -> None:
    """Carry out orders until the input ends."""
    local = Local(json.loads(Path(sys.argv[1]).read_text()))
    try:
        for line in sys.stdin:
            try:
                local.carry_out(line)
                answer = "ok"
            except KeyError as error:
                answer = f"error {error} is not in {sys.argv[1]}"
            except subprocess.CalledProcessError as error:
                answer = f"error {' '.join(error.stderr.decode(errors='replace').split())}"
            except (ValueError, OSError, IndexError) as error:
                answer = f"error {error}"
            print(answer, flush=True)
    finally:
        local.close()


if __name__ == "__main__":
    main()

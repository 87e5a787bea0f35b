"""Five nodes with a part each and a hub that fuses, every one on a machine of its own, over TLS."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgesim.serve.keys import make_keys
from tests.edgesim.command import COMMAND, edgesim_process
from tests.edgesim.serve.cluster import ARTIFACT, PARTS, NodeProcess, begun, scenario
from tests.edgesim.serve.insider import Insider, insider
from tests.edgesim.serve.namespaces import Rate, Star, lacking, star

HUB = "hub"
PIS = tuple(f"pi-{number}" for number in range(len(PARTS)))
NAMES = (HUB, *PIS)

needs_links = pytest.mark.skipif(lacking() is not None, reason=f"on loopback: {lacking()}")


class Five:
    """The running cluster.

    Attributes:
        net: that they are in.
        nodes: processes by name.
        keys: folder of everybody's.
        file: the scenario.
        hub: a coordinator where the hub is, as the scenario has it.
    """

    def __init__(self, folder: Path, net: Star, stack: ExitStack) -> None:
        self.folder = folder
        self.net = net
        self.keys = folder / "keys"
        self._stack = stack
        make_keys(self.keys, sorted({*net.addresses.values()}))
        self.nodes = {name: self._begin(name) for name in NAMES}
        for process in self.nodes.values():
            process.start()
        self.file = scenario(
            folder / "scenario.yaml", {name: one.inference for name, one in self.nodes.items()}
        )
        self.hub: Insider = stack.enter_context(insider(net.inside(HUB)))

    def _begin(
        self, name: str, inference: str | None = None, admin: str | None = None
    ) -> NodeProcess:
        host = self.net.addresses[name]
        processors = sorted(os.sched_getaffinity(0))
        processor = processors[NAMES.index(name) % len(processors)]
        options = (
            "--listen", inference or f"{host}:0", "--admin", admin or f"{host}:0",
            "--name", name, "--cpus", str(processor),
        )  # fmt: skip
        store = self.folder / name
        begins = begun(store, self.keys / host, *options, inside=self.net.inside(name))
        return self._stack.enter_context(begins)

    def restart(self, name: str) -> None:
        """Start a node again that has ended, where it was."""
        before = self.nodes[name]
        self.nodes[name] = self._begin(name, before.inference, before.admin).start()

    def deploy(self) -> None:
        """Bring the parts to the nodes by the command, from the hub."""
        admins = [f"--admin={name}={one.admin}" for name, one in self.nodes.items()]
        keys = ("--keys", self.keys / "admin")
        done = edgesim_process(
            "deploy", self.file, ARTIFACT, *keys, *admins, inside=self.net.inside(HUB)
        )
        assert done.returncode == 0, done.stderr

    def command(self, *arguments: str | Path) -> list[str]:
        """Return a real run's command line, for the hub."""
        run = ("run", self.file, "--mode", "real", "--keys", self.keys / "client", *arguments)
        return [*self.net.inside(HUB), *COMMAND, *map(str, run)]

    def play(self, *watch: Any, traffic: str, images: int = 1, **policy: Any) -> Any:
        """Let the hub's coordinator play; see :meth:`Insider.run_replication`."""
        return self.hub.run_replication(
            *watch, scenario=str(self.file), traffic=traffic, keys=str(self.keys / "client"),
            images=images, policy=policy,
        )  # fmt: skip

    def status(self, name: str) -> dict[str, Any]:
        """Return what a node tells an admin who is on the hub."""
        keys = str(self.keys / "admin")
        return self.hub.ask("status", address=self.nodes[name].admin, keys=keys)


@contextmanager
def five(folder: Path, rate: Rate) -> Iterator[Five]:
    """Start a cluster and deploy to it; nothing of it outlives its test."""
    with star(NAMES, rate) as net, ExitStack() as stack:
        running = Five(folder, net, stack)
        running.deploy()
        yield running
        for process in running.nodes.values():
            # One that a test left stopped does not hear that it shall end.
            process.send(signal.SIGCONT)

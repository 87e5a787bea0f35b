"""A coordinator in another process, for a network that this one is not in.

A test tells it what to do in lines of JSON and hears of every request as it ends, with the time on
the clock that all processes of a machine share.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import torch

from edgesim import api
from edgesim.common.errors import EdgesimError
from edgesim.serve.access import read_access
from edgesim.serve.coordinator.asking import RequestResult
from edgesim.serve.coordinator.images import Images
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.coordinator.replication import run_replication
from edgesim.serve.coordinator.work import find_work
from edgesim.serve.protocol import open_inference_pb2 as wire
from edgesim.serve.services import SERVER_LIVE
from edgesim.simulate import Outcome
from edgesim.simulate.recovery import Health
from tests.edgesim.command import ROOT, environment
from tests.edgesim.serve.cluster import PATIENCE_S, Client


@dataclass(frozen=True, slots=True)
class Ended:
    """One request that has ended.

    Attributes:
        number: of the request.
        at_s: when, by `time.monotonic`.
        parts_answered: which parts answered.
        reason: why there is no answer; None where there is one.
        logits: as lists; None where there is no answer.
        ways_s: on which each part's question and answer were, both ways together.
    """

    number: int
    at_s: float
    parts_answered: tuple[bool, ...]
    reason: str | None
    logits: list[list[float]] | None
    ways_s: list[float]


class Insider:
    """The test's end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._told: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told.put(json.loads(line))
        self._told.put(None)

    def _say(self, **command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        found = self._told.get(timeout=PATIENCE_S)
        assert found is not None, "it ended"
        return found

    def run_replication(
        self, watch: Callable[[Ended], bool | None] = lambda ended: None, **wanted: Any
    ) -> tuple[list[Ended], dict[str, Any]]:
        """Play; return every request's end, and what came of all. ``watch`` ends it with True."""
        self._say(do="play", **wanted)
        seen: list[Ended] = []
        while "ended" in (told := self._hear()):
            seen.append(Ended(**told["ended"]))
            if watch(seen[-1]):
                self._say(do="stop")
        return seen, told

    def ask(self, do: str, **wanted: Any) -> dict[str, Any]:
        """Do one thing and return what comes of it."""
        self._say(do=do, **wanted)
        return self._hear()


@contextmanager
def insider(inside: Sequence[str]) -> Iterator[Insider]:
    """Start one; it does not outlive its test."""
    process = subprocess.Popen(
        [*inside, sys.executable, "-m", "tests.edgesim.serve.insider"],
        cwd=ROOT, env=environment(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        running = Insider(process)
        try:
            yield running
        finally:
            process.kill()
            process.wait()
            running.reader.join(PATIENCE_S)


def _tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def _ended(number: int, found: RequestResult) -> None:
    ways_s = [
        one.received_s - one.sent_s - one.queue_s - one.compute_s
        for one, here in zip(found.parts, found.parts_answered)
        if here
    ]
    _tell(
        ended={
            "number": number,
            "at_s": time.monotonic(),
            "parts_answered": found.parts_answered,
            "reason": found.reason,
            "logits": None if found.logits is None else found.logits.tolist(),
            "ways_s": ways_s,
        }
    )


def _play(
    stop: threading.Event, *, scenario: str, traffic: str, keys: str, images: int, policy: Any
) -> None:
    stop.clear()
    if "health" in policy:
        policy["health"] = Health(**policy["health"])
    played = api.load(Path(scenario), overrides=[f"traffic={traffic}"])
    work = find_work(played, api.place(played))

    def progress(done: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    try:
        found = run_replication(
            work, played.cluster, played.traffic, noise(images),
            read_access(Path(keys), plain=False), Policy(**policy),
            seed=played.seed, progress=progress, seen=_ended,
        )  # fmt: skip
    except EdgesimError as error:
        _tell(error=str(error))
        return
    recording = found.recording
    _tell(
        outcomes={kind.name.lower(): int((recording.outcome == kind).sum()) for kind in Outcome},
        offered=len(recording.outcome),
        reasons=found.reasons,
        outs=[[one.node, one.begin_s, one.end_s, one.why] for one in found.outages],
        links={name: link.bytes for name, link in recording.links.items()},
        latency_s=recording.latency_s.tolist(),
    )


def noise(images: int) -> Images:
    """Return noise that nobody has labelled."""
    draw = torch.Generator().manual_seed(7)
    return Images(torch.randn(images, 1, 32, 32, generator=draw).numpy(), None)


def _live(*, address: str, keys: str | None, trusts: str | None) -> None:
    folders = [None if one is None else Path(one) for one in (keys, trusts)]
    with Client(address, folders[0], trusts=folders[1]) as client:
        try:
            client.call(SERVER_LIVE, wire.ServerLiveRequest())
        except grpc.RpcError as error:
            _tell(code=error.code().name)
        else:
            _tell(code="OK")


def _status(*, address: str, keys: str) -> None:
    with Client(address, Path(keys)) as admin:
        status = admin.status()
    _tell(waiting=status.waiting, running=status.running, draining=status.draining)


def main() -> None:
    """Do what the lines of stdin say until they end."""
    torch.set_num_threads(1)
    stop = threading.Event()
    commands: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "stop":
                stop.set()
            else:
                commands.put(command)
        commands.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (command := commands.get()) is not None:
        match command.pop("do"):
            case "play":
                _play(stop, **command)
            case "live":
                _live(**command)
            case "status":
                _status(**command)


if __name__ == "__main__":
    main()

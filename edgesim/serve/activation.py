"""Loads models from the store, warms them up, and replaces the served ones at once."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from grpc import StatusCode

from edgesim.hardware import Device, Queue
from edgesim.serve import machine, models
from edgesim.serve.engine import Engine
from edgesim.serve.manifest import Entry, SignedManifest
from edgesim.serve.models import Emulated, Model, Serving, graph_of
from edgesim.serve.protocol.admin_pb2 import ActivateReply
from edgesim.serve.refusal import RefusalError, invalid
from edgesim.serve.store import Store
from edgesim.serve.telemetry import Metrics

LOADING_COPIES = 3
"""Copies of a file in memory while it is loaded: its bytes, its tensors, and the model's."""
_WARM_UP_RUNS = 2


@dataclass(eq=False)
class Activation:
    """Replaces the models of a node.

    Attributes:
        store: files of the node.
        serving: models that are served.
        engine: runs the warm-up.
        metrics: counts of the node.
        memory_bytes: memory for weights; None for what the machine has.
        changed: awaited after every change of models.
        queue: queue of the node where a deployment says nothing.
        emulate: the device whose times the models take; None for their own.
        lock: held while the store or the models change.
    """

    store: Store
    serving: Serving
    engine: Engine
    metrics: Metrics
    memory_bytes: int | None
    changed: Callable[[], Awaitable[None]]
    queue: Queue
    emulate: Device | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_active(
        self, manifest: SignedManifest, names: Sequence[str], queue: Queue | None
    ) -> bool:
        """Return whether exactly these models are served, from such a queue."""
        same = self.serving.manifest == manifest.sha256 and set(self.serving.models) == set(names)
        return same and self.engine.queue.settings == (queue or self.queue)

    def check_memory(self, entries: Sequence[Entry]) -> None:
        """Refuse models that do not fit in memory.

        Raises:
            RefusalError: their weights exceed what the node may hold, or loading them what is free.
        """
        held = sum(entry.model.bytes for entry in entries)
        if self.memory_bytes is not None and held > self.memory_bytes:
            raise RefusalError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"the models have {held} bytes of weights, and the node may hold "
                f"{self.memory_bytes}; give it fewer, or raise its --memory",
            )
        new = sum(entry.model.bytes for entry in entries if self._loaded(entry) is None)
        if LOADING_COPIES * new > (free := machine.available_memory_bytes()):
            raise RefusalError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"loading takes {LOADING_COPIES * new} bytes of memory, {free} are available; "
                "give the node fewer models",
            )

    async def activate(
        self, manifest: SignedManifest, names: Sequence[str], queue: Queue | None = None
    ) -> list[ActivateReply.Loaded]:
        """Serve the named models of a manifest, and no others; return their times.

        Args:
            manifest: describes the models.
            names: names of the models.
            queue: queue of the node; None for the one that it was started with.

        Raises:
            RefusalError: one is unknown, missing, damaged, or does not fit; what was served before
                still is.
        """
        entries = [manifest.entry(name) for name in dict.fromkeys(names)]
        if not entries:
            raise invalid("no models are named")
        self.check_memory(entries)
        fresh: dict[str, Model] = {}
        times_s: dict[str, float] = {}
        report = []
        for entry in entries:
            begun_s = time.monotonic()
            model = self._loaded(entry)
            if model is None:
                model = await asyncio.to_thread(self._load, entry)
            load_s = time.monotonic() - begun_s
            warm_up_s, inference_s = await asyncio.wrap_future(
                self.engine.do(functools.partial(_warm_up, model))
            )
            fresh[entry.name] = model
            times_s[entry.name] = inference_s
            report.append(
                ActivateReply.Loaded(
                    name=entry.name, load_s=load_s, warm_up_s=warm_up_s, inference_s=inference_s
                )
            )
        await asyncio.to_thread(self.store.activate, manifest, list(fresh), queue)
        jobs = self.engine.queue
        jobs.configure(queue or self.queue)
        jobs.forget_executions()
        for name, time_s in times_s.items():
            jobs.note_execution(fresh[name], time_s)
        self.serving.replace(fresh, manifest.sha256)
        self.metrics.models.clear()
        for model in fresh.values():
            self.metrics.models.labels(model.name, model.sha256).set(1)
        machine.freeze_objects()
        await self.changed()
        return report

    def _load(self, entry: Entry) -> Model:
        model = models.load(entry, self.store.path(entry.sha256))
        if self.emulate is None:
            return model
        return Emulated(model, graph_of(entry), self.emulate, self.metrics.emulated_late.inc)

    def _loaded(self, entry: Entry) -> Model | None:
        """Return the model of an entry if it is served already, from the same file."""
        model = self.serving.models.get(entry.name)
        return model if model is not None and model.sha256 == entry.sha256 else None


def _warm_up(model: Model) -> tuple[float, float]:
    """Return the seconds of the first runs together, and of one more."""
    inputs, outputs = models.blank(model), [spec.name for spec in model.outputs]
    begun_s = time.monotonic()
    for _ in range(_WARM_UP_RUNS):
        model.run(inputs, outputs)
    warm_s = time.monotonic()
    model.run(inputs, outputs)
    return warm_s - begun_s, time.monotonic() - warm_s

"""The log of a node, in JSON lines, and its counts for Prometheus."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TextIO

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge, Histogram

from edgesim.common.text import foreign

MOST_WARNINGS = 20
"""Warnings of one event that are logged in `WINDOW_S`, and such events that are told apart."""
WINDOW_S = 10.0
_OTHERS = "other events"


class JsonLines(logging.Formatter):
    """Formats every record as one line: time (UTC), level, event, and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON on one line."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": foreign(record.getMessage(), 2000),
        }
        for name, value in getattr(record, "fields", {}).items():
            document[name] = foreign(value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[0] is not None:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str)


class WarningLimit(logging.Filter):
    """Leaves out warnings and errors of one event beyond `MOST_WARNINGS` in `WINDOW_S`.

    Clients cause some as often as they like: a log must not fill the disk. The next one that is
    logged has the number of those that were left out before it.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._window_s = -math.inf
        self._counts: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        if record.levelno < logging.WARNING:
            return True
        with self._lock:
            now_s = self._clock()
            if now_s >= self._window_s + WINDOW_S:
                self._window_s = now_s
                self._counts.clear()
            event = str(record.msg)[:100]
            if event not in self._counts and len(self._counts) >= MOST_WARNINGS:
                event = _OTHERS
            self._counts[event] += 1
            if self._counts[event] > MOST_WARNINGS:
                self._left_out[event] += 1
                return False
            if left_out := self._left_out.pop(event, 0):
                record.fields = {**getattr(record, "fields", {}), "left_out_before": left_out}
            return True


def start(level: str, stream: TextIO | None = None) -> logging.Logger:
    """Send all records of this process to ``stream`` (standard error) and return the node's logger.

    For the process of a node, not for a library: what gRPC logs goes there too.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(WarningLimit())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    # A call that is refused before its message is read leaves gRPC's reader of it unused.
    unused = r"coroutine '_MessageReceiver\..*' was never awaited"
    warnings.filterwarnings("ignore", unused, RuntimeWarning)
    return logging.getLogger("edgesim.node")


def log_event(
    logger: logging.Logger, event: str, level: int = logging.INFO, **fields: object
) -> None:
    """Log an event with fields."""
    logger.log(level, event, extra={"fields": fields})


_TIMES_S = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_HEAD_BYTES = 16 << 10
"""Size of the head of an HTTP request, at most."""
_HTTP_S = 10.0
"""Time of one HTTP request and its answer."""


class Metrics:
    """Counters, gauges and histograms of one node, in a registry of their own.

    Attributes:
        registry: the registry that is served.
        requests: inferences by model and status.
        samples: computed, by model.
        queue_s: waiting times in seconds, by model.
        compute_s: times of executions in seconds, by model.
        batch: requests in the execution that answered a request, by model.
        received_bytes: raw tensors in requests.
        sent_bytes: raw tensors in answers.
        waiting: requests in the queue.
        running: requests that are computed.
        emulated_late: executions, warming up included, that took longer here than they would on the
            device that the node emulates.
        models: 1 for every model that is served, with its file's hash.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(prometheus_client.Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        model = ("model",)
        self.requests = counter("edgesim_requests", "Inferences.", ("model", "code"))
        self.samples = counter("edgesim_samples", "Samples computed.", model)
        self.queue_s = histogram(
            "edgesim_queue_seconds", "Time in the queue.", model, buckets=_TIMES_S
        )
        self.compute_s = histogram(
            "edgesim_compute_seconds", "Time of the execution.", model, buckets=_TIMES_S
        )
        self.batch = histogram(
            "edgesim_batch_requests", "Requests of the execution.", model, buckets=_BATCHES
        )
        self.received_bytes = counter("edgesim_received_bytes", "Raw tensors received.")
        self.sent_bytes = counter("edgesim_sent_bytes", "Raw tensors sent.")
        self.waiting = gauge("edgesim_waiting_requests", "Requests in the queue.")
        self.running = gauge("edgesim_running_requests", "Requests that are computed.")
        self.emulated_late = counter(
            "edgesim_emulated_late", "Executions that took longer than on the emulated device."
        )
        self.models = gauge("edgesim_model_served", "Models served.", ("model", "sha256"))

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Answer every HTTP request with the counts, each on a connection of its own.

        Raises:
            OSError: it cannot listen.
        """
        return await asyncio.start_server(self._answer, host, port, limit=_HEAD_BYTES)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; close a connection that sends none, or takes no answer, in time."""
        # The answer has left once nothing of it waits here.
        writer.transport.set_write_buffer_limits(0)
        try:
            async with asyncio.timeout(_HTTP_S):
                head = await reader.readuntil(b"\r\n\r\n")
                method, _, rest = head.partition(b" ")
                path = rest.partition(b" ")[0].partition(b"?")[0]
                known = method == b"GET" and path in (b"/metrics", b"/")
                page = prometheus_client.generate_latest(self.registry) if known else b""
                lines = (
                    f"HTTP/1.1 {'200 OK' if known else '404 Not Found'}",
                    f"Content-Type: {prometheus_client.CONTENT_TYPE_LATEST}",
                    f"Content-Length: {len(page)}",
                    "Connection: close",
                )
                writer.write("\r\n".join([*lines, "", ""]).encode() + page)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        else:
            writer.close()

"""The log of a node, in JSON lines, and its counts for Prometheus."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from edgesim.common.text import foreign


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


def start(level: str, stream: TextIO | None = None) -> logging.Logger:
    """Send all records of this process to ``stream`` (standard error) and return the node's logger.

    For the process of a node, not for a library: what gRPC logs goes there too.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    return logging.getLogger("edgesim.node")


def log_event(
    logger: logging.Logger, event: str, level: int = logging.INFO, **fields: object
) -> None:
    """Log an event with fields."""
    logger.log(level, event, extra={"fields": fields})


_TIMES_S = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


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
        counter = partial(Counter, registry=self.registry)
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

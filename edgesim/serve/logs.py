"""Logs of a node: one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO


class JsonLines(logging.Formatter):
    """Makes a line of every record: time (UTC), level, event, and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON on one line."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
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


def say(logger: logging.Logger, event: str, level: int = logging.INFO, **fields: object) -> None:
    """Log an event with fields."""
    logger.log(level, event, extra={"fields": fields})

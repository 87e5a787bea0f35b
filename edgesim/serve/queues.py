"""The queue of a real node: a scenario's words, with an end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

from edgesim.common.text import foreign
from edgesim.hardware import Queue
from edgesim.hardware.network import Order, WhenFull
from edgesim.serve.options import QUEUE_LIMIT
from edgesim.serve.protocol import admin_pb2 as wire
from edgesim.serve.refusal import invalid

_EXTENSION = "edgesim-queue"
"""Begins the extension by which a node tells its queue."""


def real_queue(queue: Queue) -> Queue:
    """Return what a real node makes of a scenario's queue: without a limit, of 64 requests.

    Where ``keep-latest`` lets one request of each model and source wait, it needs no limit.
    """
    full = queue.full or "reject"
    if queue.limit is not None or full == "keep-latest":
        return replace(queue, full=full)
    return replace(queue, limit=QUEUE_LIMIT, full=full)


def to_message(queue: Queue) -> wire.Queue:
    """Return a queue as a message to the administration of a node."""
    return wire.Queue(
        order=queue.order,
        limit=queue.limit or 0,
        full=queue.full or "",
        skip_late=queue.skip_late,
    )


def from_message(message: wire.Queue) -> Queue:
    """Return the queue of a message.

    Raises:
        RefusalError: it has words that no queue has.
    """
    for key, word, known in (("order", message.order, Order), ("full", message.full, WhenFull)):
        if word not in (*get_args(known), ""):
            expected = ", ".join(get_args(known))
            raise invalid(f"queue.{key}: expected one of {expected}, got {word[:40]!r}")
    found = Queue(
        order=message.order or "fifo",  # type: ignore[arg-type]
        limit=message.limit or None,
        full=message.full or None,  # type: ignore[arg-type]
        skip_late=message.skip_late,
    )
    return real_queue(found)


def queue_text(queue: Queue) -> str:
    """Return a queue as a scenario writes it, such as ``{order: edf, limit: 64, full: reject}``."""
    limit = "" if queue.limit is None else f", limit: {queue.limit}"
    late = ", skip_late: true" if queue.skip_late else ""
    return f"{{order: {queue.order}{limit}, full: {queue.full}{late}}}"


def to_extension(queue: Queue) -> str:
    """Return the text among a server's extensions that tells its queue."""
    return f"{_EXTENSION} {queue_text(queue)}"


def told_queue(extensions: Iterable[str]) -> str | None:
    """Return the queue that a node tells among its extensions; None where it tells none."""
    told = (one.removeprefix(_EXTENSION) for one in extensions if one.startswith(_EXTENSION))
    return next((foreign(one.strip()) for one in told), None)

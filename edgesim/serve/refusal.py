"""Refusals of a node: a gRPC status and one message."""

from __future__ import annotations

from enum import StrEnum

from edgesim.common.errors import EdgesimError


class Reason(StrEnum):
    """Statuses that a node answers with, by their names in gRPC."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"
    ABORTED = "ABORTED"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


class RefusalError(EdgesimError):
    """A request that a node refuses; the message goes to the one who asked."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def invalid(message: str) -> RefusalError:
    """Return the refusal of a message that does not fit the model, or contradicts itself."""
    return RefusalError(Reason.INVALID_ARGUMENT, message)

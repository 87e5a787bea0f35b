"""Refusals of a node: a gRPC status and one message."""

from __future__ import annotations

from grpc import StatusCode

from edgesim.common.errors import EdgesimError

DROPPED = "the node's queue dropped it"
"""Begins the refusal of a request that gave way to others: to ask again would push those out."""


class RefusalError(EdgesimError):
    """A request that a node refuses; the message goes to the client."""

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> RefusalError:
    """Return the refusal of a message that does not fit the model, or contradicts itself."""
    return RefusalError(StatusCode.INVALID_ARGUMENT, message)


def shutting_down() -> RefusalError:
    """Return the refusal of a node that is about to end."""
    return RefusalError(StatusCode.UNAVAILABLE, "the node is shutting down; ask another one")

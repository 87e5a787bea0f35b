"""Errors that a user caused or can mend; each carries one clear message and an exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

MOST_SHOWN = 20
"""Mistakes of one document that a message names."""
_WORDS = {
    "Unexpected keyword argument": "unknown key",
    "Input should be ": "expected ",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
}
"""Of pydantic's messages, and ours."""


class PartitionError(Exception):
    """A run that cannot go on, in one message; ``exit_status`` is 1."""

    exit_status = 1


class InputError(PartitionError, ValueError):
    """The input is wrong (recipe, data set, checkpoint, manifest); ``exit_status`` is 2."""

    exit_status = 2


class InfeasibleError(PartitionError):
    """No sub-model sizes fit the devices; the message names the device and the bytes."""


def nearest(name: str, known: list[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest known name, or an empty string."""
    import difflib

    matches = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" (did you mean '{matches[0]}'?)" if matches else ""


def explain(error: ValidationError, where: str) -> str:
    """Return the mistakes of a document, each on one line: key, what was expected, what came.

    Args:
        error: of its validation.
        where: what the message calls the document.
    """
    lines = []
    for one in error.errors(include_url=False)[:MOST_SHOWN]:
        key = ".".join(str(part)[:60] for part in one["loc"] if part != "[key]")
        message, came = one["msg"], f", got {str(one['input'])[:60]!r}"
        if one["type"] == "missing":
            message, came = "expected a value, got none", ""
        elif one["type"] in ("value_error", "unexpected_keyword_argument"):
            message, came = message.removeprefix("Value error, "), ""
        for theirs, ours in _WORDS.items():
            message = message.replace(theirs, ours, 1)
        lines.append(": ".join(filter(None, (where, key, message + came))))
    if error.error_count() > MOST_SHOWN:
        lines.append(f"… and {error.error_count() - MOST_SHOWN} more")
    return "\n".join(lines)

"""Errors that a user caused or can mend; each carries one clear message and an exit status."""

from __future__ import annotations

import re
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
    """Return `` (did you mean 'x'?)`` for the known name that is meant, or an empty string.

    Meant is what begins with the name, or has its family (the first word, one typing mistake aside)
    and another of its words, or is shortened to it (``rpi4`` of ``raspberry-pi-4b``); of several
    the nearest. Other names are likely to be wrong: ``orange-pi-5`` is no ``raspberry-pi-5``.
    """
    import difflib

    words = _words(name)
    plain = "".join(words)
    found = (
        [one for one in known if plain and "".join(_words(one)).startswith(plain)]
        or [one for one in known if _same_family(words, _words(one))]
        or [one for one in known if _shortens(plain, _words(one))]
        or difflib.get_close_matches(name, [one for one in known if one.isalpha()], 1, 0.6)
    )
    matcher = difflib.SequenceMatcher(b=plain)

    def likeness(one: str) -> float:
        matcher.set_seq1("".join(_words(one)))
        return matcher.ratio()

    return f" (did you mean '{max(found, key=likeness)}'?)" if found else ""


def _words(name: str) -> list[str]:
    return re.findall("[^\\W\\d_]+|\\d+", name.casefold())


def _same_family(words: list[str], known: list[str]) -> bool:
    if not words or not known or not _alike(words[0], known[0]):
        return False
    rest = [_alike(one, other) for one in words[1:] for other in known[1:]]
    return any(rest) or not rest


def _alike(one: str, other: str) -> bool:
    """Whether words are the same, or long and one letter is too many, wrong, or swapped."""
    if one == other or min(len(one), len(other)) < 3:
        return one == other
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if at is None:
        return abs(len(one) - len(other)) == 1
    first, second = one[at:], other[at:]
    swapped = first[:2] == second[1::-1]
    return (
        first[1:] == second[1:]
        or first[1:] == second
        or first == second[1:]
        or (swapped and first[2:] == second[2:])
    )


def _shortens(plain: str, known: list[str]) -> bool:
    """Whether a name is the beginnings of some of the words, at least one of them whole."""
    ends = {0}
    for word in known:
        ends |= {
            end + length
            for end in ends
            for length in range(1, len(word) + 1)
            if plain.startswith(word[:length], end)
        }
    return len(plain) in ends and any(len(word) > 1 and word in plain for word in known)


def explain(error: ValidationError, where: str) -> str:
    """Return the mistakes of a document, each on one line: key, what was expected, what came.

    Args:
        error: error of the document's validation.
        where: name of the document in the message.
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

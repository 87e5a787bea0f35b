"""Errors that a user caused or can mend; each carries one clear message and an exit status."""

from __future__ import annotations


class PartitionError(Exception):
    """A run that cannot go on, in one message; ``exit_status`` is 1."""

    exit_status = 1


class InputError(PartitionError):
    """The input is wrong (recipe, data set, checkpoint); ``exit_status`` is 2."""

    exit_status = 2


class InfeasibleError(PartitionError):
    """No sub-model sizes fit the devices; the message names the device and the bytes."""


def nearest(name: str, known: list[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest known name, or an empty string."""
    import difflib

    matches = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" (did you mean '{matches[0]}'?)" if matches else ""

"""Errors that a user caused or can mend; each carries one clear message and an exit status."""

from __future__ import annotations


class EdgesimError(Exception):
    """A condition that ends a command with one message and no traceback.

    ``exit_status`` is 1: the run failed.
    """

    exit_status = 1


class InputError(EdgesimError):
    """The input is wrong (scenario, option, catalog name); ``exit_status`` is 2."""

    exit_status = 2


class PlanError(InputError):
    """A model cannot be placed on the nodes; the message names the node and what it lacks."""


def nearest(name: str, known: list[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest known name, or an empty string."""
    import difflib

    matches = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" (did you mean '{matches[0]}'?)" if matches else ""

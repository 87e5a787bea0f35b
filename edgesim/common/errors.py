"""Errors that a user caused or can mend; each carries one clear message and an exit status."""

from __future__ import annotations

from partition.errors import nearest as nearest


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

"""Errors that a user caused or can mend; each carries one clear message and an exit status."""

from __future__ import annotations

import errno

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


_WRONG_PATH = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}


def write_error(what: str, error: OSError) -> EdgesimError:
    """Return the error of a file or folder that cannot be written.

    Args:
        what: could not be done, such as ``cannot write out/table.csv``.
        error: why; one that lies in the path that was given is an InputError.
    """
    why = error.strerror or str(error)
    return (InputError if error.errno in _WRONG_PATH else EdgesimError)(f"{what}: {why}")

"""The error message of a command that failed: on stderr and, where asked for, as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn

from edgesim.common.text import visible


def report_error(message: str, status: int) -> None:
    """Print ``message``; with ``--json`` on the command line, the one JSON document too."""
    if sys.stdout is not None:
        if "--json" in sys.argv[1:]:
            document = {"error": {"message": message, "exit_status": status}}
            sys.stdout.write(json.dumps(document, indent=2) + "\n")
        sys.stdout.flush()
    if sys.stderr is not None:
        sys.stderr.write(f"edgesim: {visible(message)}\n")
        sys.stderr.flush()


def leave(status: int) -> NoReturn:
    """End the process, without an error where nobody reads its output any more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            # The interpreter would try once more, and complain.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
    sys.exit(status)

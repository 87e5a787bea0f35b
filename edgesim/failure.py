"""How a command tells that it failed: one message on stderr and, where asked for, as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn


def tell(message: str, status: int) -> None:
    """Print ``message``; with ``--json`` on the command line, the one JSON document too."""
    if sys.stdout is not None:
        if "--json" in sys.argv[1:]:
            document = {"error": {"message": message, "exit_status": status}}
            sys.stdout.write(json.dumps(document, indent=2) + "\n")
        sys.stdout.flush()
    if sys.stderr is not None:
        sys.stderr.write(f"edgesim: {message}\n")
        sys.stderr.flush()


def leave(status: int) -> NoReturn:
    """End the process, without a word about output that nobody takes any more."""
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

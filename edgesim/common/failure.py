"""The error message of a command that failed: on stderr and, where asked for, as JSON."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from typing import NoReturn


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


def visible(text: str) -> str:
    """Return a message in which nothing steers a terminal: what a file says may stand in it.

    Control characters and those that turn the direction of writing are written as escapes.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(
        letter
        if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cf", "Zl", "Zp", "Cs")
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


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

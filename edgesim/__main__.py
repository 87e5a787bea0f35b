"""The ``edgesim`` command, also as ``python -m edgesim``; ready for Ctrl-C before all loads."""

from __future__ import annotations

from typing import NoReturn

from edgesim.common.interrupts import quit_at_once


def main() -> NoReturn:
    """Run the command line."""
    quit_at_once()
    from edgesim import cli

    cli.main()


if __name__ == "__main__":
    main()

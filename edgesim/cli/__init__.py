"""The command line: one file for each family of commands."""

from edgesim.cli.root import app, main

__all__ = ["app", "main"]

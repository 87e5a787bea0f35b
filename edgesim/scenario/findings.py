"""Collects what is wrong with a scenario while it is resolved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgesim.errors import InputError
from edgesim.validation import Path, Problem


class Findings:
    """Problems so far; resolving goes on after each, so that a user sees all of them at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def told(self, path: Path, make: Callable[[], Any]) -> Any:
        """Return what ``make`` makes, or None after noting what it raised."""
        try:
            return make()
        except InputError as error:
            self.problems.append(Problem(path, str(error)))
            return None

    def wrong(self, path: Path, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(path, message))

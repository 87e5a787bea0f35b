"""Options of a command as fields of a dataclass, and readers of their values.

A command's options are one dataclass; `edgesim.cli.session.command` makes the command line of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, field
from typing import Any

from edgesim.common import units


def option(value: str, meaning: str, default: Any = MISSING, **settings: Any) -> Any:
    """Return a field that is an option of a command.

    The option is named after the field, without a unit at its end: ``drain_s`` is ``--drain``.

    Args:
        value: name of its value in the help, such as ``HOST:PORT``.
        meaning: meaning of the option, for the help.
        default: its value where it is not given; without one it must be given.
        settings: more of `typer.Option`, such as ``min``, ``parser`` (which raises ValueError) and
            ``show_default``; ``names`` replaces the name.
    """
    return field(default=default, metadata={"metavar": value, "help": meaning, **settings})


def flag(meaning: str) -> Any:
    """Return a field that is an option without a value, False where it is not given."""
    return option("", meaning, default=False)


def argument(value: str, meaning: str, default: Any = MISSING, **settings: Any) -> Any:
    """Return a field that is an argument of a command, given by its place; see `option`."""
    return option(value, meaning, default, positional=True, **settings)


def quantity(dimension: str, *, above_zero: bool = False) -> Callable[[str], float]:
    """Return a reader of quantities with a unit, which gives numbers in SI units.

    Args:
        dimension: one of `edgesim.common.units`; ``bytes`` gives whole numbers.
        above_zero: refuse 0.
    """

    def read(value: str) -> float:
        number = units.parse(value, dimension)
        if number < 0.0 or (above_zero and number == 0.0):
            least = "more than 0" if above_zero else "0 or more"
            raise ValueError(f"expected {least}, got {value}")
        return round(number) if dimension == "bytes" else number

    return read


def processors(text: str) -> frozenset[int]:
    """Return the processor numbers of a list such as ``0-2,5``.

    Raises:
        ValueError: it is not such a list.
    """
    chosen: set[int] = set()
    for piece in text.split(","):
        first, dash, last = piece.strip().partition("-")
        numbers = [first, last] if dash else [first]
        if not all(one.isascii() and one.isdigit() and len(one) < 5 for one in numbers):
            raise ValueError(f"expected processors such as '0-2,5', got {text!r}")
        chosen.update(range(int(first), int(last or first) + 1))
    return frozenset(chosen)

"""Checks of the figures of a part; every message names the figure, its range and its value."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optics.errors import InputError

if TYPE_CHECKING:
    import torch


@contextmanager
def figures_of(part: Any) -> Iterator[Callable[..., None]]:
    """Yield a function that checks figures of a part by name; say all that is wrong at the end.

    ``check(positive, "pitch_m", "exposure_s")`` calls a rule of this module for each figure, with
    the part's ``name`` as its owner, after :func:`plain` made it a number of Python.

    Args:
        part: part with a ``name`` and the figures.

    Raises:
        InputError: figures break their rules; one line for each.
    """
    wrong: list[str] = []

    def check(rule: Callable[..., None], *names: str, **options: bool) -> None:
        for name in names:
            try:
                value = plain(getattr(part, name))
                object.__setattr__(part, name, value)
                rule(part.name, name, value, **options)
            except InputError as error:
                wrong.append(str(error))

    yield check
    if wrong:
        raise InputError("\n".join(wrong))


def plain(value: Any) -> Any:
    """Return a number of numpy as Python's own, and a list as a tuple; anything else as it is.

    A float32 becomes the shortest decimal number that it stands for: 8e-6, not 7.99999998e-6.
    """
    if isinstance(value, list | tuple):
        return tuple(plain(one) for one in value)
    if not isinstance(value, int | float) and isinstance(value, numbers.Real):
        return int(value) if isinstance(value, numbers.Integral) else float(str(value))
    return value


def pitches(owner: str, pitch_m: float | Sequence[float]) -> tuple[float, float]:
    """Return the distances between samples (down, right) of one number or two.

    Raises:
        InputError: they are not above 0, or not one or two numbers.
    """
    value = plain(pitch_m)
    pair = value if isinstance(value, tuple) else (value, value)
    if len(pair) != 2:
        raise InputError(f"{owner}: pitch_m must be one number or (down, right); got {pitch_m!r}")
    for axis, pitch in zip(("down", "right"), pair, strict=True):
        positive(owner, f"pitch_m, {axis}", pitch)
    return pair[0], pair[1]


def positive(owner: str, name: str, value: float, *, infinite: bool = False) -> None:
    """Require ``value`` above zero, and finite unless ``infinite``.

    Raises:
        InputError: it is not.
    """
    _number(owner, name, value)
    if not value > 0 or (math.isinf(value) and not infinite):
        also = "" if infinite else "finite and "
        raise InputError(f"{owner}: {name} must be {also}above 0; got {value!r}")


def not_negative(owner: str, name: str, value: float, *, infinite: bool = False) -> None:
    """Require ``value`` at or above zero, and finite unless ``infinite``.

    Raises:
        InputError: it is not.
    """
    _number(owner, name, value)
    if not value >= 0 or (math.isinf(value) and not infinite):
        also = "" if infinite else "finite and "
        raise InputError(f"{owner}: {name} must be {also}at or above 0; got {value!r}")


def fraction(owner: str, name: str, value: float, *, zero: bool = True) -> None:
    """Require 0 ≤ ``value`` ≤ 1, or 0 < ``value`` ≤ 1 unless ``zero``.

    Raises:
        InputError: it is not.
    """
    _number(owner, name, value)
    if not (0 <= value <= 1) or (value == 0 and not zero):
        span = "from 0 to 1" if zero else "above 0 and at most 1"
        raise InputError(f"{owner}: {name} must be {span}; got {value!r}")


def finite(owner: str, name: str, value: float) -> None:
    """Require a finite number.

    Raises:
        InputError: it is not.
    """
    _number(owner, name, value)
    if not math.isfinite(value):
        raise InputError(f"{owner}: {name} must be a finite number; got {value!r}")


def bit_depth(owner: str, name: str, bits: int | None) -> None:
    """Require a bit depth from 1 to 16, or ``None`` for a part without steps.

    Raises:
        InputError: it is neither.
    """
    if bits is None:
        return
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 16:
        raise InputError(
            f"{owner}: {name} must be a whole number from 1 to 16, or None for a part without "
            f"steps; got {bits!r}"
        )


def pixel_counts(owner: str, name: str, pixels: tuple[int, int]) -> None:
    """Require (rows, columns), two whole numbers of at least 1.

    Raises:
        InputError: it is something else.
    """
    good = isinstance(pixels, tuple) and len(pixels) == 2
    if not good or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in pixels):
        raise InputError(
            f"{owner}: {name} must be (rows, columns), two whole numbers of at least 1; "
            f"got {pixels!r}"
        )


def _number(owner: str, name: str, value: float) -> None:
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InputError(f"{owner}: {name} must be a number; got {value!r}")


def required_generator(
    generator: torch.Generator | None, device: torch.device, why: str
) -> torch.Generator:
    """Return ``generator`` if it is one on ``device``; ``why`` names what is random.

    Raises:
        InputError: there is none, or it belongs to another device.
    """
    if generator is None:
        raise InputError(f"{why}: give generator=torch.Generator(device) with a seed of your own")
    if generator.device.type != device.type:
        raise InputError(
            f"the generator must be on {device}, where the data are; it is on {generator.device}"
        )
    return generator

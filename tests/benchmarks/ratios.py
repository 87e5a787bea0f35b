"""Ratios that benchmarks measure, beside their references: one that falls by a quarter fails.

A ratio compares two works of one run in one thread, and the higher it is, the better: speed over
the speed of something else. Times are never references: they belong to a machine. References are
in ``ratios.toml``; after a change that is meant to move them, ``make bench RENEW=1`` measures all
of them and writes the file anew, and ``make bench RENEW=1 PYTEST_ARGS="-k NAME"`` some of them.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from edgesim.common.files import write_text
from tests.benchmarks.scale import FULL

REFERENCES = Path(__file__).with_name("ratios.toml")
LEAST = 0.75
"""A ratio fails below this share of its reference."""
RENEW = os.environ.get("EDGESIM_RENEW_RATIOS", "") not in ("", "0")
COMMAND = "make bench RENEW=1"
_HEADER = f"""\
# Ratios of `make bench`: speed over the speed of something else in the same run, in one thread. The
# benchmark fails where one is below {LEAST:g} of what stands here. `{COMMAND}` writes this file.
"""


def references(path: Path = REFERENCES) -> dict[str, float]:
    """Return the reference of each ratio by its name."""
    return {name: float(value) for name, value in tomllib.loads(path.read_text()).items()}


def failures(measured: Mapping[str, float], expected: Mapping[str, float]) -> list[str]:
    """Return a line for each ratio that fell by more than a quarter, or has no reference."""
    found = []
    for name, value in measured.items():
        reference = expected.get(name)
        if reference is None:
            found.append(f"'{name}' is {value:.3g} and has no reference; {COMMAND} writes one")
        # Not a number is no speed either.
        elif not value >= LEAST * reference:
            found.append(
                f"'{name}' is {value:.3g}, {1.0 - value / reference:.0%} below its reference "
                f"{reference:.3g}; the limit is {LEAST * reference:.3g}. Find what made it slow; "
                f"if it is meant, {COMMAND} writes new references"
            )
    return found


def renew(measured: Mapping[str, float], path: Path = REFERENCES) -> None:
    """Write measured ratios as references; others stay as they are."""
    known = (references(path) if path.exists() else {}) | dict(measured)
    lines = [f'"{name}" = {known[name]:.3g}\n' for name in sorted(known)]
    write_text(path, _HEADER + "".join(lines))


def check(measured: Mapping[str, float]) -> None:
    """Print ratios beside their references; fail where one fell by more than a quarter.

    A run at a small scale measures nothing: there, every ratio must only have a reference.

    Raises:
        AssertionError: one fell, or has no reference.
    """
    if FULL and RENEW:
        renew(measured)
    expected = references()
    for name, value in measured.items():
        print(f"  {name}: {value:.3g} (reference {expected.get(name, float('nan')):.3g})")
    if not FULL:
        measured = {name: value for name, value in measured.items() if name not in expected}
    found = failures(measured, expected)
    assert not found, "\n".join(found)

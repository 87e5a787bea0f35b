"""Passes of the sign schemes: those of print, and alike for light and for its timing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from optics.detection import SCHEMES, FourShot, ReferenceBeam, TwoShot, scheme
from optics.signs import (
    FOUR_SHOT,
    TWO_SHOT,
    WHOLE,
    Pass,
    pattern_counts,
    reference_passes,
)


def test_what_the_simulated_schemes_show_is_what_timing_counts() -> None:
    assert SCHEMES["field"]().passes == WHOLE
    assert TwoShot().passes == TWO_SHOT
    assert FourShot().passes == FOUR_SHOT
    beam = scheme("reference", electrons=4.0, frames=3, split_inputs=True)
    assert beam.passes == reference_passes(3, electrons=4.0, split_inputs=True)
    assert ReferenceBeam(electrons=1.0).passes == reference_passes(4)


@pytest.mark.parametrize(
    ("passes", "exposures", "filters", "inputs"),
    [
        (WHOLE, 1, 1, 1),
        (TWO_SHOT, 2, 2, 1),
        (FOUR_SHOT, 4, 2, 2),
        (reference_passes(4), 4, 1, 1),
        (reference_passes(3, split_inputs=True), 6, 1, 2),
    ],
)
def test_exposures_and_patterns(
    passes: tuple[Pass, ...], exposures: int, filters: int, inputs: int
) -> None:
    assert len(passes) == exposures
    assert pattern_counts(passes) == (filters, inputs)


def test_starts_without_torch() -> None:
    code = "import sys, optics.signs\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

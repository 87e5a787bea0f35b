"""The gate of the benchmarks: what passes, what fails and says why, and how references change."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.benchmarks import ratios

NAME = "M/M/1, edgesim beside a bare heap loop"


@pytest.mark.parametrize("value", [ratios.LEAST * 0.4, 0.4, 4.0])
def test_a_ratio_passes_down_to_three_quarters_of_its_reference(value: float) -> None:
    assert ratios.failures({NAME: value}, {NAME: 0.4}) == []


@pytest.mark.parametrize("value", [math.nextafter(ratios.LEAST * 0.4, 0.0), 0.1, math.nan])
def test_a_ratio_below_fails(value: float) -> None:
    assert len(ratios.failures({NAME: value}, {NAME: 0.4})) == 1


def test_the_message_has_the_ratio_its_reference_and_the_limit() -> None:
    (message,) = ratios.failures({NAME: 0.2, "other": 1.0}, {NAME: 0.4, "other": 1.0})
    assert message == (
        f"'{NAME}' is 0.2, 50% below its reference 0.4; the limit is 0.3. Find what made it slow; "
        "if it is meant, make bench RENEW=1 writes new references"
    )


def test_a_ratio_without_a_reference_fails_at_any_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    for full in (True, False):
        monkeypatch.setattr(ratios, "FULL", full)
        with pytest.raises(AssertionError, match=r"'new' is 2 and has no reference; make bench"):
            ratios.check({"new": 2.0})


def test_a_small_run_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratios, "FULL", False)
    ratios.check({NAME: 1e-6})
    monkeypatch.setattr(ratios, "FULL", True)
    with pytest.raises(AssertionError, match=NAME):
        ratios.check({NAME: 1e-6})


def test_renewed_references_leave_others_alone(tmp_path: Path) -> None:
    path = tmp_path / "ratios.toml"
    ratios.renew({NAME: 0.4, "other": 12.3456}, path)
    ratios.renew({NAME: 0.25}, path)
    assert ratios.references(path) == {NAME: 0.25, "other": 12.3}
    before = path.read_bytes()
    ratios.renew(ratios.references(path), path)
    assert path.read_bytes() == before


def test_every_reference_is_measured_by_a_benchmark() -> None:
    folder = Path(__file__).parent
    files = [one for one in folder.glob("test_*.py") if one.name != "test_ratios.py"]
    source = "".join(one.read_text() for one in files)
    known = ratios.references()
    assert [name for name in known if f'"{name}"' not in source] == []
    assert all(math.isfinite(value) and value > 0.0 for value in known.values())

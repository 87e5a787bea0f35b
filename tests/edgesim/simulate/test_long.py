"""The long form of the properties: the command runs them, and tells when one does not hold."""

from __future__ import annotations

import pytest

from edgesim.simulate.recorder import Recorder
from tests.edgesim.simulate import long


def test_each_property_holds_on_a_few_systems(capsys: pytest.CaptureFixture[str]) -> None:
    assert long.main(["--systems", "5", "--seed", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(long.PROPERTIES)
    assert all(line.endswith("holds") for line in lines)


def test_a_property_that_does_not_hold_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answered = Recorder.answered

    def late(self: Recorder, request: object, now: float, path: object) -> None:
        answered(self, request, now + 1.0, path)  # type: ignore[arg-type]

    monkeypatch.setattr(Recorder, "answered", late)
    assert long.main(["--systems", "20", "arrives"]) == 1
    printed = capsys.readouterr().out
    assert "does not hold" in printed
    assert "drawn=((Plan(" in printed


def test_an_unknown_property_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        long.main(["cores", "nothing"])
    assert ended.value.code == 2
    assert "unknown: nothing; the properties are nothing-fails, arrives" in capsys.readouterr().err

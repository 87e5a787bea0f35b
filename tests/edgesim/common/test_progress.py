"""Progress where stderr is no terminal: a line now and then, as a batch log needs."""

from __future__ import annotations

import pytest

from edgesim.common.progress import Bar


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(what="points", after_s=0.0, line_s=0.0) as bar:
        bar.update("study", 0, 2_000)
        bar.update("study", 1_200, 2_000, "3 failed")
    shown = capsys.readouterr().err.splitlines()
    assert shown[0].startswith("study: 0 of 2,000 points after ")
    assert shown[1].startswith("study: 1,200 of 2,000 points after ")
    assert shown[1].endswith(", 3 failed")
    assert len(shown) == 2


def test_a_short_run_has_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(what="points", after_s=0.0) as bar:
        bar.update("study", 0, 2_000)
        bar.update("study", 2_000, 2_000)
    assert capsys.readouterr().err == ""

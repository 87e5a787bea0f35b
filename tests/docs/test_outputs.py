"""The outputs that README and pages show are what the commands print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.outputs import COMMANDS, Played, blocks, missing, printed

QUICK = dict.fromkeys(played for played in COMMANDS.values() if not played.slow)


def test_what_is_shown_is_found_in_what_is_printed() -> None:
    text = "a  1\nb  2\nc  3\nplayed, simulated in 5 ms\n"
    assert not missing("a 1\n…\nc 3\nplayed, simulated in 7.1 s\n", text)
    assert not missing("a 1\nb\n…\n", text)
    assert missing("b  2\n…\n", text) == "b  2"
    slow = "study: 40 of 60 points after 1 min, 3 failed\n"
    assert not missing("a 1\nb\n…\n", slow + text)
    assert missing("a  1\n…\nc  4\n…\n", text) == "c  4"
    assert missing("a 1\nb 2\nc 3\n", text) == "played, simulated in TIME"


@pytest.mark.parametrize("played", QUICK, ids=lambda played: played.arguments)
def test_the_command_prints_what_is_shown(played: Played, tmp_path: Path) -> None:
    if played.need:
        played.need.require()
    shown = [block for block in blocks() if COMMANDS.get(block.command) == played]
    assert shown, f"no page shows {played.arguments}"
    text = printed(played, tmp_path)
    for block in shown:
        assert not missing(block.shown, text), block.page.name

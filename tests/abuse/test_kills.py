"""Commands that are ended at random moments leave a whole result or none, and go on.

EDGESIM_KILLS sets how many times each signal ends each command; ``python -m tests.abuse.kills``
prints a table.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.abuse.kills import SUBJECTS, Deploying, kill

KILLS = int(os.environ.get("EDGESIM_KILLS", "1"))


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_ended_command_leaves_a_whole_result_or_none(name: str) -> None:
    told = kill(name, SUBJECTS[name], KILLS, seed=1)
    assert told["kills"] == 3 * KILLS
    assert told["resumed"] >= 3


def test_an_ended_deployment_is_done_again(tmp_path: Path) -> None:
    with ExitStack() as stack:
        told = kill("deploy", Deploying(tmp_path, stack).subject(), KILLS, seed=1)
    assert told["kills"] == 3 * KILLS

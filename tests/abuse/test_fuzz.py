"""Changed and made-up inputs for everything that takes some: taken, or refused in one message.

EDGESIM_FUZZ sets how many inputs each surface gets; ``python -m tests.abuse.fuzz --inputs N``
prints a table of many more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abuse.fuzz import Tally, fuzz, inputs, put_in
from tests.abuse.surfaces import SURFACES, corpus


@pytest.mark.parametrize("name", SURFACES)
def test_whatever_comes_in_is_taken_or_refused(name: str, tmp_path: Path) -> None:
    tally = fuzz(name, inputs(60), tmp_path)
    assert not tally.failures, list(tally.failures.values())
    # A surface that takes nothing, or all, is not what was put to the test.
    assert tally.refused > 0
    assert tally.accepted > 0 or inputs(60) < 200


@pytest.mark.parametrize("name", [name for name in SURFACES if corpus(name)])
def test_what_once_failed_does_not_again(name: str, tmp_path: Path) -> None:
    tally = Tally()
    for path in corpus(name):
        put_in(SURFACES[name], path.read_bytes(), tmp_path, tally)
    assert not tally.failures, list(tally.failures.values())
    assert tally.accepted + tally.refused == len(corpus(name))

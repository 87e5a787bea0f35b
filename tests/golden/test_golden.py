"""Every example plays to the bytes that were frozen (``python -m tests.golden`` freezes)."""

from __future__ import annotations

import pytest
import yaml

from tests.golden.cases import CASES, EXAMPLES, Case
from tests.golden.play import page_text, play
from tests.golden.store import FROZEN, differences, read


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_examples_play_to_the_frozen_bytes(case: Case) -> None:
    if case.need:
        case.need.require()
    found = differences(read(case.name), play(case))
    told = "\n".join(f"{case.name}/{path}: {where}" for path, where in found.items())
    assert not found, f"\n{told}\nIf that is meant: python -m tests.golden {case.name}"


def test_every_example_is_frozen() -> None:
    files = {
        path
        for path in EXAMPLES.rglob("*.yaml")
        if {"model", "base"} & set(yaml.safe_load(path.read_text()))
    }
    assert files == {case.file for case in CASES.values()}
    assert {path.name for path in FROZEN.iterdir()} == set(CASES)


def test_a_difference_says_where_it_is() -> None:
    frozen = {"a.csv": "1,2\n3,4\n", "gone": "", "same": "x"}
    played = {"a.csv": "1,2\n3,5\n", "new": "", "same": "x"}
    assert differences(frozen, played) == {
        "a.csv": "line 2, column 3\n  frozen: 3,4\n  now:    3,5",
        "gone": "frozen, but no longer written",
        "new": "written, but never frozen",
    }


def test_a_page_is_its_text_and_its_figures() -> None:
    page = '<style>p</style><p data-key="a">1 &lt; <b>2</b></p><svg><path d="M0"/></svg>'
    *lines, drawing = page_text(page).splitlines()
    assert lines == ["[data-key=a]", "1 <", "2"]
    assert drawing != page_text(page.replace("M0", "M1")).splitlines()[-1]

"""The resolved scenario: read again, by readers of either version of YAML, it is the same run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edgesim.common.errors import InputError
from edgesim.scenario import dump, from_mapping, load
from edgesim.scenario.document import parse
from edgesim.scenario.reader import MOST_INLINE_TIMES
from tests.edgesim.scenario.cases import BASE, changed, message

TRAPS = ["no", "012", "1e5", "1e-05", "0o14", "1:30", "=", "<<", "~", "", "null", "é", "- a",
         "a: b", "# a", " a ", "2001-12-14", "1_000", ".5", "+1", "0x1F", "a\nb", "'", '"', "%",
         "@", "\x85", "\u2028", "😀", "yes\n"]  # fmt: skip
TEXT = st.sampled_from(TRAPS) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(data=st.dictionaries(TEXT, PLAIN, min_size=1, max_size=4))
def test_what_is_dumped_is_read_the_same(data: dict[str, Any]) -> None:
    text = dump(data)
    assert parse(text).data == data
    # PyYAML is a reader of version 1.1.
    assert yaml.safe_load(text) == data


def test_a_resolved_scenario_holds_name_seed_and_settings(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(changed("name: small\n", ""))
    scenario = load(path, ["traffic.requests=3"], 5)
    assert scenario.document["name"] == "mine"
    assert scenario.document["seed"] == 5
    again = from_mapping(parse(dump(scenario.document)).data)
    assert again.document == scenario.document
    assert (again.name, again.seed, again.traffic) == ("mine", 5, scenario.traffic)


def test_traces_are_read_beside_their_scenario_and_kept(tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text("# arrivals\n0\n 250 ms\n1.5  # seconds\n\n2 s\n")
    path = tmp_path / "c.yaml"
    path.write_text(BASE.replace("poisson, rate: 0.5/s, requests: 10", "trace, file: times.txt"))
    scenario = load(path)
    assert scenario.traffic.times_s == (0.0, 0.25, 1.5, 2.0)
    assert scenario.traffic.requests == 4
    # The times themselves are kept: the file may change or go.
    (tmp_path / "times.txt").unlink()
    assert from_mapping(scenario.document).traffic == scenario.traffic


def test_long_traces_stay_files(tmp_path: Path) -> None:
    times = np.arange(MOST_INLINE_TIMES + 1) / 4
    (tmp_path / "times.txt").write_text("\n".join(map(str, times)))
    path = tmp_path / "c.yaml"
    path.write_text(BASE.replace("poisson, rate: 0.5/s, requests: 10", "trace, file: times.txt"))
    document = load(path).document
    assert document["traffic"]["file"] == str(tmp_path / "times.txt")  # type: ignore[index]
    assert from_mapping(document).traffic.times_s[-1] == MOST_INLINE_TIMES / 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1\n0.5\n", "times.txt:2: expected ascending times, got 0.5 s after 1 s"),
        ("1\n-1\n", "times.txt:2: expected a time of at least 0, got -1"),
        ("1\nsoon\n", "times.txt:2: expected a quantity such as '0.25 ms', got 'soon'"),
        ("1 GB\n", "times.txt:1: 'GB' is no unit of time"),
        ("nan\n", "times.txt:1: expected a quantity"),
        ("1e999\n", "times.txt:1: expected a finite quantity"),
        ("# none\n", "expected arrival times, one a line, got only comments"),
        ("", "times.txt is empty; expected a trace"),
        ("0\n1e13\n", "expected times up to 1e+12 s"),
    ],
)
def test_wrong_traces(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text(text)
    path = tmp_path / "c.yaml"
    path.write_text(BASE.replace("poisson, rate: 0.5/s, requests: 10", "trace, file: times.txt"))
    with pytest.raises(InputError) as caught:
        load(path)
    assert "c.yaml:9:34: traffic.file: " in str(caught.value)
    assert told in str(caught.value)


def test_a_missing_trace() -> None:
    text = BASE.replace("poisson, rate: 0.5/s, requests: 10", "trace, file: nowhere.txt")
    assert message(text).startswith("c.yaml:9:34: traffic.file: nowhere.txt does not exist")


def test_data_of_other_kinds_is_plain_or_told() -> None:
    data = parse(BASE).data
    data["seed"] = np.int64(3).item()
    data["traffic"]["rate"] = np.float64(2.0)
    assert from_mapping(data).traffic.rate_per_s == 2.0
    data["traffic"]["rate"] = {1, 2}
    with pytest.raises(InputError, match=r"traffic\.rate: expected plain YAML data"):
        from_mapping(data)
    data["traffic"]["rate"] = math.nan
    with pytest.raises(InputError, match="expected a finite quantity"):
        from_mapping(data)

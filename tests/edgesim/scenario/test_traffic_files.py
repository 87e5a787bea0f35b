"""Files of arrival times and of rates: how they are read, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgesim.common.errors import InputError
from edgesim.scenario.reader import from_mapping
from edgesim.scenario.scenario import Scenario
from edgesim.scenario.traffic_files import Times, read_rates, read_times
from edgesim.simulate.arrivals import Paced, Trace, TraceFile
from edgesim.simulate.rates import Rates

STAMPS = "1700158546.68\n1700158550.99\n1700158553.10\n"
AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:53.0950000,12,7
"""
"""The columns of the Azure LLM inference traces."""
BURST = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,small,472,18,490,"Conversation, log"
45,small,1087,230,1317,"Conversation, log"
118,large,417,276,693,"Conversation, log"
"""
"""The columns of BurstGPT."""


def read(folder: Path, text: str, **options: Any) -> Times:
    (folder / "t.csv").write_text(text)
    return read_times(TraceFile(path="t.csv", **options), folder)


def scenario(folder: Path, **traffic: Any) -> Scenario:
    data = {
        "model": {"tasks": {"a": {"flop": "1 GFLOP", "node": "n"}}},
        "nodes": {"n": {"device": {"peak": {"fp32": "10 GFLOP/s"}}}},
        "traffic": traffic,
    }
    return from_mapping(data, folder=folder)


def test_times_alone_are_as_before(tmp_path: Path) -> None:
    found = read(tmp_path, "# seconds\n0\n0.25\n1 s\n1500 ms\n\n2 # late\n1 min\n")
    assert found == Times((0.0, 0.25, 1.0, 1.5, 2.0, 60.0))


def test_unix_stamps_count_from_the_first_and_it_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, STAMPS)
    # To the digit: a double of today's seconds resolves a quarter of a microsecond.
    assert found.times_s == (0.0, 4.31, 6.42)
    assert found.notes == (
        "t.csv: times count from the first, 2023-11-16 18:15:46 UTC; 'origin: zero' counts from 0",
    )


def test_an_origin_that_is_given_is_kept_without_a_word(tmp_path: Path) -> None:
    assert read(tmp_path, STAMPS, origin="zero") == Times(
        (1700158546.68, 1700158550.99, 1700158553.10)
    )
    assert read(tmp_path, STAMPS, origin="first") == Times((0.0, 4.31, 6.42))
    assert read(tmp_path, "5\n7\n", origin="first") == Times((0.0, 2.0))


@pytest.mark.parametrize(
    ("unit", "cells"),
    [("ms", "1500\n2750.5\n"), ("us", "1500000\n2750500\n"), ("min", "0.025\n0.0458416666\n")],
)
def test_units(tmp_path: Path, unit: str, cells: str) -> None:
    assert read(tmp_path, cells, unit=unit).times_s == pytest.approx((1.5, 2.7505))


def test_nanoseconds_since_1970_are_exact(tmp_path: Path) -> None:
    found = read(tmp_path, "1700158546680590001\n1700158546680590004\n", unit="ns")
    assert found.times_s == pytest.approx((0.0, 3e-9), rel=1e-12)


def test_azures_trace(tmp_path: Path) -> None:
    found = read(tmp_path, AZURE, column="TIMESTAMP")
    assert found.times_s == pytest.approx((0.0, 4.314579, 6.41441), abs=1e-12)
    assert "2023-11-16 18:15:46 UTC" in found.notes[0]


def test_burstgpts_trace(tmp_path: Path) -> None:
    assert read(tmp_path, BURST, column="Timestamp") == Times((5.0, 45.0, 118.0))
    assert read(tmp_path, BURST, column="Timestamp", origin="first").times_s == (0.0, 40.0, 113.0)


@pytest.mark.parametrize(
    ("times", "from_first"),
    [
        ("2024-02-29T12:00:00Z\n2024-02-29T12:00:01.5Z\n", 1.5),
        ("2024-02-29T12:00:00+02:00\n2024-02-29T10:00:01Z\n", 1.0),
        ("2024-02-29\n2024-03-01\n", 86400.0),
        ("2024-02-29 23:59:59,5\n2024-03-01 00:00:00\n", 0.5),
    ],
)
def test_iso_times(tmp_path: Path, times: str, from_first: float) -> None:
    if "," in times:
        times = "when\n" + "".join(f'"{line}"\n' for line in times.splitlines())
        assert read(tmp_path, times, column="when").times_s == (0.0, from_first)
    else:
        assert read(tmp_path, times).times_s == (0.0, from_first)


def test_whole_numbers_that_would_be_slow_draw_a_question(tmp_path: Path) -> None:
    found = read(tmp_path, "0\n1000\n3000\n100000\n")
    assert found.times_s == (0.0, 1000.0, 3000.0, 100000.0)
    assert found.notes == (
        "t.csv: are its whole numbers milliseconds? As seconds they are 0.0018 requests a minute; "
        "write {path: t.csv, unit: ms}, or 'unit: s' to keep them",
    )
    for keeps in ("s", "ms"):
        assert read(tmp_path, "0\n1000\n100000\n", unit=keeps).notes == ()
    # One a second, and numbers with a point, are no question.
    assert read(tmp_path, "0\n1\n2\n").notes == ()
    assert read(tmp_path, "0\n1000.5\n").notes == ()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (AZURE, {}, "t.csv:1: the file has the columns TIMESTAMP, ContextTokens, GeneratedTokens; "
         "say which one holds the arrival times, as in {path: t.csv, column: TIMESTAMP}"),
        ("arrived\n1\n", {}, "t.csv:1: expected a quantity such as '0.25 ms', got 'arrived'; if "
         "that is the name of a column, say so: {path: …, column: arrived}"),
        (AZURE, {"column": "Timestamp"},
         "t.csv:1: no column is named 'Timestamp' (did you mean 'TIMESTAMP'?); it has TIMESTAMP,"),
        ("0\n1\n", {"column": "at"}, "t.csv:1: no column is named 'at': the file has times alone"),
        ("0,a\n1,b\n", {}, "t.csv:1: the file has the columns 0, a; say which"),
        ("0,1\n1,2\n", {}, "t.csv:1: expected one time a line, or a first line with the names of "
         "columns, got 2 values without names"),
        ("at,b\n0,1\n1\n2,2\n", {"column": "b"}, "t.csv:3: expected 2 values, got 1"),
        ("at\n0\nsoon\n", {"column": "at"}, "t.csv:3: expected a quantity such as '0.25 ms', got"),
        ("2\n1\n", {}, "t.csv:2: expected ascending times, got 1 s after 2 s"),
        ("-1\n1\n", {}, "t.csv:1: expected a time of at least 0, got -1"),
        ("2023-11-16T25:00\n", {}, "t.csv:1: expected an ISO 8601 time such as"),
        ("2023-11-16\n", {"unit": "ms"}, "t.csv:1: '2023-11-16' is a date, which has no unit"),
        ("1 s\n", {"unit": "ms"}, "t.csv:1: expected a number of ms, as 'unit' says, got '1 s'"),
        ("1e999\n", {"unit": "ms"}, "t.csv:1: expected a number of ms"),
        ("# nothing\n", {}, "t.csv: expected arrival times, one a line, got only comments"),
    ],
)  # fmt: skip
def test_wrong_traces(tmp_path: Path, text: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as raised:
        read(tmp_path, text, **options)
    assert message in str(raised.value)


def test_a_trace_in_a_scenario_and_its_resolved_form(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(AZURE)
    file = {"path": "t.csv", "column": "TIMESTAMP"}
    one = scenario(tmp_path, arrivals="trace", file=file)
    assert isinstance(one.traffic, Trace)
    assert one.traffic.requests == 3
    assert "times count from the first" in one.notes[0]
    again = from_mapping(dict(one.document))
    assert again.traffic == one.traffic
    assert again.notes == ()


def test_rates_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_text("# a day\nuntil,rate\n6 h,1/min\n18 h,2/s\n24 h,0\n")
    assert read_rates(tmp_path / "day.csv") == [
        {"until": "6 h", "rate": "1/min"},
        {"until": "18 h", "rate": "2/s"},
        {"until": "24 h", "rate": "0"},
    ]
    rate = {"file": "day.csv", "repeat": True}
    one = scenario(tmp_path, arrivals="poisson", requests=1000, rate=rate)
    assert isinstance(one.traffic, Paced)
    assert isinstance(one.traffic.rate_per_s, Rates)
    assert one.traffic.offered_per_s == pytest.approx((360 + 12 * 7200) / 86400)
    assert one.traffic.peak_per_s == 2.0
    again = from_mapping(dict(one.document))
    assert again.traffic == one.traffic


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("rate\n1\n", ["day.csv:1: expected a first line 'rate,until'"]),
        ("rate,until\n", ["day.csv: expected rates, got only column names"]),
        ("rate,until\n1,60\nfast,120\n-1,130\n",
         ["day.csv:3: rate: expected a quantity such as '0.5/s', got 'fast'",
          "day.csv:4: rate: expected at least 0, got '-1'"]),
        ("rate,until\n1,60\n2,60\n", ["day.csv:3: expected ascending 'until', got 60 s after 60"]),
        ("rate,until\n1,\n2,60\n", ["day.csv:3: the row above needs 'until'"]),
        ("rate,until\n1,60,3\n", ["day.csv:2: expected 2 values, got 3"]),
    ],
)  # fmt: skip
def test_wrong_rates(tmp_path: Path, text: str, messages: list[str]) -> None:
    (tmp_path / "day.csv").write_text(text)
    with pytest.raises(InputError) as raised:
        scenario(tmp_path, arrivals="poisson", requests=10, rate={"file": "day.csv"})
    told = str(raised.value).splitlines()
    assert len(told) == len(messages)
    for line, message in zip(told, messages, strict=True):
        assert "traffic.rate.file" in line
        assert message in line

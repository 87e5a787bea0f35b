"""Text of files and other programs, where it is printed: safe, short, and no formula."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import rich.progress

from edgesim.common.console import Console, Label
from edgesim.common.tables import cell_text, csv_cell, no_formula
from edgesim.common.text import foreign, visible
from edgesim.report import plan_tables
from edgesim.report.page.run_page import page
from edgesim.results import tables_csv
from edgesim.results.result import Result
from edgesim.scenario.reader import from_mapping
from tests.edgesim.cases import play
from tests.edgesim.command import edgesim

NAME = "p\u009b31m\u202ei"
SHOWN = r"p\x9b31m\u202ei"
SCENARIO = f"""
model: {{name: vit_tiny_patch16_224}}
placement: {{strategy: single, input: "{NAME.encode("unicode_escape").decode()}"}}
nodes: {{"{NAME.encode("unicode_escape").decode()}": {{device: raspberry-pi-4b}}}}
traffic: {{arrivals: periodic, rate: 0.1/s, requests: 3}}
"""
TITLE_AND_BELL = "\x1b]0;title\x07 \x1b[31mred [bold]not bold[/bold]"


def hidden(text: str) -> set[str]:
    """Return the letters of a text that are not seen as letters."""
    return {one for one in text if one != "\n" and unicodedata.category(one)[0] in "CZ"} - {" "}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, µs → 3 ∞\nsecond line", "plain, µs → 3 ∞\nsecond line"),
        ("\x1b[2J\x07\r\x7f", r"\x1b[2J\x07\r\x7f"),
        (NAME, SHOWN),
        ("\u2028\u2066\ufeff\ud800", r"\u2028\u2066\ufeff\ud800"),
        ("שלום", "שלום"),
    ],
)
def test_nothing_steers_a_terminal(text: str, expected: str) -> None:
    assert visible(text) == expected
    assert foreign(text) == expected.replace("\n", r"\n")


def test_foreign_text_is_one_short_line() -> None:
    assert foreign("x" * 300) == "x" * 300
    assert foreign("x" * 301) == "x" * 299 + "…"
    for long in ("\x1b" * 3000, "\n" * 3000, "\x1b[31mred" * 400):
        assert len(foreign(long)) == 300
        assert hidden(foreign(long)) == set()
    assert foreign("\x00" * 100, 10) == r"\x00\x00\…"


def test_the_commands_print_no_name_raw(tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text(SCENARIO)
    for arguments in (("check", "evil.yaml"), ("run", "evil.yaml", "--out", "out")):
        done = edgesim(*arguments, cwd=tmp_path)
        assert done.returncode == 0
        assert SHOWN in done.stdout
        assert hidden(done.stdout + done.stderr) == set()
    html = (tmp_path / "out" / "report.html").read_text()
    assert SHOWN in html
    assert "\u202e" not in html
    assert "\u009b" not in html
    data = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', html)
    assert data
    assert "x9b31m" in "".join(data)
    assert all("\u202e" not in str(json.loads(one)) for one in data)
    assert edgesim("report", "out", cwd=tmp_path).returncode == 0
    assert (tmp_path / "out" / "report.html").read_text() == html


def test_a_table_and_a_bar_keep_names_as_they_are() -> None:
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=True, color_system=None)
    scenario = from_mapping({
        "model": {"name": "vit_tiny_patch16_224"},
        "placement": {"strategy": "single", "input": "[bold]\u202e"},
        "nodes": {"[bold]\u202e": {"device": "raspberry-pi-4b"}},
        "traffic": {"arrivals": "periodic", "rate": "0.1/s", "requests": 3},
    })  # fmt: skip
    from edgesim import api

    plan_tables.show(plan_tables.examine(scenario, api.place(scenario)), console)
    assert r"[bold]\u202e" in file.getvalue()
    with rich.progress.Progress(Label(), console=console) as bars:
        bars.add_task(TITLE_AND_BELL)
    shown = file.getvalue().replace("\x1b[?25l", "").replace("\x1b[?25h", "")
    assert r"\x1b]0;title\x07 \x1b[31mred [bold]not bold" in shown
    assert "\x07" not in shown


CELLS = ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@x", "'=1", "''-x", "\t=1", '=a,"b"\n', "-inf"]
PLAIN = ["pi-0", "'quoted'", "", "-1", "+1.5e-3", "-.5", "a=b", "two, cells"]


@pytest.mark.parametrize("text", [*CELLS, *PLAIN])
def test_no_cell_is_a_formula_and_each_is_read_back(text: str) -> None:
    (row,) = csv.reader(io.StringIO(f"{csv_cell(text)},1\n", newline=""))
    assert row == [no_formula(text), "1"]
    assert row[0].startswith("'") == (text in CELLS or text == "'quoted'")
    assert cell_text(row[0]) == text


def test_spans_keep_their_names_on_the_way_through_the_file(tmp_path: Path) -> None:
    recording = play().recordings[0]
    spans = [one._replace(node="=1+1", task="@part", from_task=None, to_task=None)
             for one in recording.spans[:3]]  # fmt: skip
    text = tables_csv.tasks(replace(recording, spans=tuple(spans)))
    assert ",'@part,'=1+1," in text
    (tmp_path / "tasks.csv").write_text(text)
    read = tables_csv.read_spans(tmp_path / "tasks.csv")
    assert [one[:4] for one in read] == [one[:4] for one in tables_csv.in_order(spans)]


def test_warnings_of_a_page_show_what_is_hidden() -> None:
    result: Result = play()
    summary = {**result.summary, "warnings": [TITLE_AND_BELL + "\u202e"]}
    recording = result.recordings[0]
    html = page(summary, tables_csv.columns([recording]), recording.spans, None, "\u202e: 1\n")
    assert r"\x1b]0;title\x07" in html
    assert hidden(html.replace("\n", "")) <= {"\xa0", "\u2009", "\u202f"}


def test_what_a_client_says_is_short_in_the_log() -> None:
    pytest.importorskip("prometheus_client")
    from edgesim.serve.telemetry import JsonLines

    record = logging.LogRecord("edgesim.node", logging.WARNING, "", 0, "refused", (), None)
    record.fields = {"id": "\x1b[31m" * 100_000, "bytes": 3}
    line = JsonLines().format(record)
    assert len(line) < 600
    assert hidden(json.loads(line)["id"]) == set()
    assert json.loads(line)["bytes"] == 3


def test_what_a_node_says_is_short_in_a_failure() -> None:
    grpc = pytest.importorskip("grpc")
    from tests.edgesim.serve.test_asking import Scripted, asked

    found = asked(Scripted(*[grpc.StatusCode.INTERNAL] * 9, details="\x1b[31m\x07" * 600))
    assert hidden(found.reason) == set()
    assert len(found.reason) < 400
    assert r"\x1b[31m\x07" in found.reason


def test_a_name_may_break_after_a_dot_and_is_escaped() -> None:
    from edgesim.report.page.frame import fragment
    from edgesim.report.table import Table

    html = fragment([Table("t", ["peak.fp32"], [["a_b.<i>\u202e"]])])
    assert "peak.<wbr>fp32" in html
    assert "a_<wbr>b.&lt;i&gt;\\u202e" in html

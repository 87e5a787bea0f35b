"""The tables of a run: they fit the window, hide no figure, and explain what needs it."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from edgesim import api
from edgesim.common.text import count, digits, duration, joules, percent, rate, size
from edgesim.graph import sources
from edgesim.report import console, device_tables, model_tables, plan_tables
from edgesim.report.page.run_page import page
from edgesim.report.run_tables import baseline_notes, baselines, interval_notes, latency
from edgesim.results.result import Result
from edgesim.results.tables_csv import columns
from edgesim.scenario.scenario import Baseline
from edgesim.simulate.arrivals import Offline, Periodic, Poisson, SingleStream
from tests.edgesim.cases import play, scenario
from tests.edgesim.command import FIVE_PIS
from tests.edgesim.simulate.models import Flops

RESNET = sources.read(sources.from_text("resnet18"))


@pytest.fixture(scope="module")
def five_pis() -> Result:
    return api.run(api.load(FIVE_PIS))


def printed(show: Any, width: int) -> str:
    file = io.StringIO()
    show(Console(file=file, width=width, highlight=False))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_and_cut_nothing(width: int, five_pis: Result) -> None:
    checked = plan_tables.examine(five_pis.scenario, five_pis.plan)
    for show in (
        lambda to: console.show(five_pis, to),
        lambda to: plan_tables.show(checked, to),
        lambda to: model_tables.show(model_tables.every(1000), to),
        lambda to: model_tables.show(model_tables.one(RESNET), to),
        lambda to: device_tables.show(device_tables.every(), to),
        lambda to: device_tables.show(device_tables.one("raspberry-pi-4b"), to),
    ):
        text = printed(show, width)
        assert max(map(len, text.split("\n"))) <= width
        assert "…" not in text


def test_a_run_at_80_columns_breaks_no_name(five_pis: Result) -> None:
    lines = printed(lambda to: console.show(five_pis, to), 80).split("\n")
    for name in ("this cluster", "nvidia-rtx-4090", "  batch 256", "raspberry-pi-4b", "hub-switch"):
        assert any(line.startswith(f" {name} ") for line in lines), name


def test_small_windows_still_get_whole_figures() -> None:
    from tests.edgesim.command import edgesim

    done = edgesim("check", FIVE_PIS, COLUMNS="30")
    assert "22.5 MiB" in done.stdout
    assert "…" not in done.stdout


def test_intervals_say_what_they_lack() -> None:
    summary = play().summary  # 200 requests, all service times alike
    notes = list(interval_notes(summary))
    assert notes[-1] == (
        "-: an interval needs more answered requests: 500 for p90, 1,000 for p95, 5,000 for p99, "
        "50,000 for p99.9"
    )
    halves = [row.cells[2] for row in latency(summary, ends=False).rows]
    assert halves[2:] == ["-"] * 5
    assert halves[0] != "-"


def test_intervals_say_that_the_warm_up_does_not_count() -> None:
    traffic = Poisson(requests=500, rate_per_s=0.4, warmup=50)
    *_, note = interval_notes(play(traffic=traffic).summary)
    assert note == (
        "-: an interval needs more answered requests: 500 for p90, 1,000 for p95, 5,000 for p99, "
        "50,000 for p99.9; those of the warm-up do not count"
    )


def test_what_a_strategy_left_out_is_a_note() -> None:
    text = printed(lambda to: console.show(play(notes=("b is left out",)), to), 100)
    assert "\nnote: b is left out" in text
    assert "warning" not in text


def test_notes_of_a_plan_are_in_the_document_as_they_are_printed() -> None:
    what = scenario("single", notes=("b is left out",))
    checked = plan_tables.examine(what, api.place(what))
    notes = checked.document()["notes"]
    assert notes[0] == "b is left out"
    assert len(notes) > 1  # Nodes are left idle.
    text = printed(lambda to: plan_tables.show(checked, to), 400)
    assert [line[6:] for line in text.split("\n") if line.startswith("note: ")] == notes


def test_energy_is_not_known_where_no_device_has_a_power() -> None:
    result = play()
    summary = {**result.summary, "energy_j": {**result.summary["energy_j"], "total": 0.0}}
    text = printed(lambda to: console.show(replace(result, summary=summary), to), 100)
    assert "Energy not known: no power is given for the devices\n" in text


def test_samples_are_rounded_as_the_throughput_is() -> None:
    text = printed(lambda to: console.show(play(traffic=Offline(requests=100)), to), 100)
    shown = re.search(r"Throughput (\S+/s)", text)
    assert shown
    assert f"MLPerf offline: samples {shown[1]} (" in text


def test_intervals_of_replications_count_in_each() -> None:
    *_, note = interval_notes(play(replications=3).summary)
    assert note == (
        "-: an interval needs more answered requests in each replication: 1,000 for p99.9"
    )


def test_no_width_is_explained() -> None:
    traffic = SingleStream(requests=200)
    notes = list(interval_notes(play(traffic=traffic).summary))
    assert notes[0] == "± 0 s: no request waited, so all have the same latency"


def test_no_answer_has_no_intervals_to_explain() -> None:
    from edgesim.hardware import Faults, Outage

    down = Faults(schedule=(Outage(at_s=0.0, duration_s=1e6),))
    result = play(node_options={"faults": down})
    assert list(interval_notes(result.summary)) == []
    text = printed(lambda to: console.show(result, to), 100)
    assert "0 of 200 requests answered, 200 failed" in text
    assert 'id="latency"' not in page(result.summary, columns(result.recordings), ())


def test_baselines_are_compared_in_words() -> None:
    traffic = Periodic(requests=10, rate_per_s=0.25)
    result = play(traffic=traffic)
    cluster, fast, batch = baselines(result.summary).rows
    # Of two replicas at 3 FLOP/s: 2 s and the way, beside 0.1 s: 2.06 / 0.1.
    assert cluster.cells[:2] == ("this cluster", "2.06 s")
    assert fast.cells[:3] == ("fast", "100 ms", "20.6× slower")
    # Requests every 4 s, the last one ends at 36.1 s: 2 W of idle power, 10 W for 0.1 s each.
    total = 2.0 * 36.1 + 8.0 * 0.1 * 10
    assert fast.cells[3:5] == (joules(total / 10), percent(2.0 * 36.1 / total))
    assert fast.cells[5].endswith("× more")
    assert fast.cells[6] == "10.0/s"
    assert batch.cells[0] == "batch 128"
    assert batch.aside


def test_degraded_requests_are_answered_too() -> None:
    result = play()
    requests = {"offered": 200, "completed": 150, "degraded": 30, "failed": 20}
    told = replace(result, summary={**result.summary, "requests": requests})
    text = printed(lambda to: console.show(told, to), 120)
    assert "180 of 200 requests answered, 30 of them degraded, 20 failed" in text


def test_an_overloaded_device_is_compared_by_one_request_alone() -> None:
    # A device that takes 6 s for a request, asked every 4 s; the cluster takes 2.06 s, see above.
    slow = Baseline(name="slow", device=Flops(rate=1.0), precision="fp32")
    traffic = Periodic(requests=10, rate_per_s=0.25)
    summary = play(traffic=traffic, baselines=(slow,)).summary
    _, line, alone, *_ = baselines(summary).rows
    assert line.cells[:3] == ("slow", "overloaded", "-")
    assert alone.cells[:3] == ("one alone", "6.00 s", "2.91× faster")
    assert any(note.startswith("one alone: ") for note in baseline_notes(summary))


def test_markup_in_names_is_text() -> None:
    result = play(name="[red]a[/red]")
    assert "[red]a[/red]" in printed(lambda to: console.show(result, to), 100)
    html = page({**result.summary, "name": "<script>x"}, columns(result.recordings), ())
    assert "<script>x" not in html
    assert "&lt;script&gt;x" in html


def test_many_nodes_are_summed_up() -> None:
    from edgesim.scenario import load_text
    from tests.edgesim.scenario.cases import BASE

    few = ["nodes.pi.count=40", "placement={strategy: replicate, input: hub}"]
    result = api.run(load_text(BASE, overrides=few))
    text = printed(lambda to: console.show(result, to), 80)
    assert "… 29 more nodes, less busy" in text
    assert "… 29 more links, less busy" in text


def test_the_page_needs_nothing_else(five_pis: Result) -> None:
    recording = five_pis.recordings[0]
    html = page(five_pis.summary, columns(five_pis.recordings), recording.spans)
    for outside in ("http:", "https:", "src=", "@import", "<script src", "url("):
        assert outside not in html
    assert set(re.findall(r'href="(.)', html)) == {"#", "d"}
    assert re.findall(r'href="d[^"]*', html) == ['href="data:,']
    assert html.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (digits(1234.5), "1,230"), (digits(0.000123456), "0.000123"), (digits(9.999), "10.0"),
        (digits(float("inf")), "∞"), (digits(0.0), "0"),
        (duration(0.0009996), "1.00 ms"), (duration(None), "-"), (duration(3e-10), "0.300 ns"),
        (duration(1960.0), "1,960 s"), (count(17.56e9), "17.6 G"), (size(1023.0), "1,020 B"),
        (size(1024.0**3), "1.00 GiB"), (rate(0.5), "0.500/s"), (joules(41812.0), "41.8 kJ"),
        (joules(0.346), "346 mJ"), (percent(0.123), "12.3 %"), (percent(None), "-"),
    ],
)  # fmt: skip
def test_figures(text: str, expected: str) -> None:
    assert text == expected


def test_scenario_of_one_node_has_no_links() -> None:
    small = scenario()
    assert small.cluster.nodes
    text = printed(lambda to: console.show(play(baselines=()), to), 80)
    assert "The whole model on one device" not in text

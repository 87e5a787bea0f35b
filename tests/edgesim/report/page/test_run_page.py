"""The page of a run: every number is the summary's, whatever the run was, and names are text."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as draw

from edgesim import api
from edgesim.common.errors import InputError
from edgesim.hardware import Faults, Outage
from edgesim.report import folder
from edgesim.report.page.latency import breakdown_of, slowest
from edgesim.report.page.plan_document import plan_document
from edgesim.report.page.run_page import page
from edgesim.results import tables_csv
from edgesim.results.folder import PLAN
from edgesim.results.result import Result
from edgesim.scenario.dump import dump
from edgesim.simulate.arrivals import Poisson
from tests.edgesim.cases import play
from tests.edgesim.command import FIVE_PIS
from tests.edgesim.report.page.numbers_of import looked_up, numbers_of

MOST_BYTES = 5_000_000


def page_of(result: Result) -> str:
    """Return the page that the result's folder gets."""
    return "".join(folder.files_of(result)["report.html"]())


@pytest.fixture(scope="module")
def five_pis() -> Result:
    return api.run(api.load(FIVE_PIS))


def down(at_s: float = 0.0, duration_s: float = 1e6) -> Faults:
    return Faults(schedule=(Outage(at_s=at_s, duration_s=duration_s),))


def real(result: Result) -> Result:
    """Return a result as of real nodes, which tell no joules."""
    nodes = {
        key: {**node, "energy_j": None, "idle_j": None}
        for key, node in result.summary["nodes"].items()
    }
    energy = {"total": None, "per_request": None, "nodes": {}, "links": {}}
    told = {**result.summary, "mode": "real", "nodes": nodes, "energy_j": energy}
    return dataclasses.replace(result, summary=told)


def untraced(result: Result) -> Result:
    recording = dataclasses.replace(result.recordings[0], spans=())
    return dataclasses.replace(result, recordings=(recording,))


def cut(result: Result) -> Result:
    return dataclasses.replace(result, summary={**result.summary, "partial": True}, partial=True)


CASES = {
    "as written": play,
    "no answers": lambda: play(node_options={"faults": down()}),
    "one request": lambda: play(traffic=Poisson(requests=1, rate_per_s=0.4)),
    "real nodes": lambda: real(play(baselines=())),
    "no trace": lambda: untraced(play()),
    "replications": lambda: play(replications=3),
    "interrupted": lambda: cut(play()),
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_every_number_is_the_summary_s(make: Any) -> None:
    result = make()
    found = numbers_of(page_of(result))
    for key, value, text in found:
        assert value == looked_up(result.summary, key), key
        assert (text == "-") == (value is None), key
    keys = {key for key, _, _ in found}
    nodes = {f"nodes.{name}.{what}" for name in result.summary["nodes"]
             for what in ("utilization", "max_queue", "memory_bytes")}  # fmt: skip
    links = {f"links.{name}.bytes" for name in result.summary["links"]}
    assert nodes | links | {"throughput_per_s", "plan.capacity_per_s", "requests.offered"} <= keys
    if result.summary["latency_s"]["mean"] is not None:
        assert {f"latency_s.{name}" for name in result.summary["latency_s"]} <= keys
        assert {f"breakdown_s.{name}" for name in result.summary["breakdown_s"]} <= keys
    if result.summary["energy_j"]["total"] is not None:
        assert {"energy_j.total", "energy_j.per_request", "nodes.a.energy_j"} <= keys


def sections(html: str) -> set[str]:
    return set(re.findall(r'<section id="([^"]*)"', html))


def test_what_a_run_does_not_have_is_told(five_pis: Result) -> None:
    whole = sections(page_of(five_pis))
    assert whole == {
        "latency", "path", "plan", "timeline", "nodes", "energy", "memory", "baselines",
        "assumptions", "scenario",
    }  # fmt: skip
    failed = page_of(CASES["no answers"]())
    assert {"latency", "path"} & sections(failed) == set()
    assert "Energy was not measured" in page_of(CASES["real nodes"]())
    bare = page_of(CASES["no trace"]())
    assert "No request was traced" in bare
    assert "timeline-data" not in bare
    assert "3 replications" in page_of(CASES["replications"]())


def test_energy_without_a_power_is_not_known() -> None:
    result = play()
    nodes = {
        key: {**node, "energy_j": 0.0, "idle_j": 0.0}
        for key, node in result.summary["nodes"].items()
    }
    energy = {**result.summary["energy_j"], "total": 0.0, "per_request": 0.0}
    told = {**result.summary, "nodes": nodes, "energy_j": energy, "baselines": {}}
    html = page_of(dataclasses.replace(result, summary=told))
    assert "Energy is not known: no power is given for the devices." in html
    joules = {text for key, _, text in numbers_of(html) if "energy_j" in key}
    assert joules == {"not known"}
    assert "0 J" not in html


def test_an_older_folder_has_a_page_without_what_it_lacks(tmp_path: Path) -> None:
    out = folder.write(play(), tmp_path / "out")
    (out / PLAN).unlink()
    html = folder.rewrite_report(out).read_text()
    assert "no plan.json" in html
    assert "assumptions" not in sections(html)
    for damage in ("{", "[]", '{"schema": 2}'):
        (out / PLAN).write_text(damage)
        with pytest.raises(InputError, match=r"is no JSON|expected a plan of schema 1"):
            folder.rewrite_report(out)


def test_parts_of_the_critical_path_are_means_of_the_requests(five_pis: Result) -> None:
    scenario = api.load(FIVE_PIS, overrides=["traffic.warmup=100", "traffic.requests=300"])
    result = api.run(scenario)
    requests = tables_csv.columns(result.recordings)
    chosen = tables_csv.counted(requests, 100)
    assert chosen.sum() == 200
    for part, mean in result.summary["breakdown_s"].items():
        assert requests.breakdown_s[part][chosen].mean() == pytest.approx(mean, rel=1e-12)
    latency = requests.latency_s[chosen]
    slow = slowest(latency)
    assert len(slow) == 2
    assert sorted(latency[slow].tolist()) == sorted(latency.tolist())[-2:]
    # Their parts sum to their latency.
    parts = sum(breakdown_of(requests, 100, slow).values())
    assert parts == pytest.approx(latency[slow], rel=1e-9)


def test_requests_read_back_are_the_same(tmp_path: Path) -> None:
    result = play(replications=2, node_options={"faults": Faults(schedule=(
        Outage(at_s=50.0, duration_s=100.0),))})  # fmt: skip
    out = folder.write(result, tmp_path / "out")
    (read,) = tables_csv.RequestsFile(out / "requests.csv").pieces()
    own = tables_csv.columns(result.recordings)
    for field in ("replication", "index", "arrival_s", "latency_s"):
        assert np.array_equal(getattr(read, field), getattr(own, field), equal_nan=True)
    for part, values in own.breakdown_s.items():
        assert np.array_equal(read.breakdown_s[part], values, equal_nan=True)
    assert (out / "report.html").read_text() == folder.rewrite_report(out).read_text()


@pytest.mark.parametrize("rows", [1, 7, 200])
def test_a_page_of_pieces_is_that_of_all_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    result = play(traffic=Poisson(requests=500, rate_per_s=0.5), replications=2,
                  node_options={"faults": down(100.0, 50.0)})  # fmt: skip
    # Few are traced, so that the load ends at the first one that is not.
    first = dataclasses.replace(result.recordings[0], spans=result.recordings[0].spans[:60])
    recordings = (first, result.recordings[1])
    out = folder.write(dataclasses.replace(result, recordings=recordings), tmp_path / "out")
    whole = (out / "report.html").read_text()
    reports: list[tuple[int, int]] = []
    monkeypatch.setattr(tables_csv, "_ROWS", rows)
    folder.rewrite_report(out, lambda label, done, total: reports.append((done, total)))
    assert (out / "report.html").read_text() == whole
    assert len(reports) >= 1000 // rows
    assert {total for _, total in reports} == {(out / "requests.csv").stat().st_size}
    assert max(done for done, _ in reports) == reports[0][1]


@given(
    latency_s=draw.lists(
        draw.sampled_from([1.0, 2.0, 3.0, 4.0]) | draw.floats(0.0, 4.0), min_size=1
    )
)
def test_the_slowest_hundredth_are_the_last_in_order_of_latency(latency_s: list[float]) -> None:
    values = np.array(latency_s * 30)
    expected = sorted(range(len(values)), key=lambda place: (values[place], place))
    count = math.ceil(len(values) / 100)
    assert slowest(values).tolist() == expected[-count:]


HOSTILE = "</script><img src=x onerror=alert(1)>\"' & \u202eevil\u202c 🦊"


def test_names_are_text_wherever_they_stand(five_pis: Result) -> None:
    text = json.dumps(five_pis.summary)
    for name in ("pi-0", "hub"):
        text = text.replace(json.dumps(name), json.dumps(name + HOSTILE))
    summary = {**json.loads(text), "name": HOSTILE, "warnings": [HOSTILE]}
    spans = [
        span._replace(task=span.task + HOSTILE, node=span.node + HOSTILE,
                      target=span.target and span.target + HOSTILE)
        for span in five_pis.recordings[0].spans
    ]  # fmt: skip
    plan = plan_document(five_pis.scenario, five_pis.plan)
    plan["branches"][0]["tasks"][0]["name"] = HOSTILE
    plan["devices"][HOSTILE] = [[HOSTILE, HOSTILE, HOSTILE]]
    html = page(summary, tables_csv.columns(five_pis.recordings), spans, plan, HOSTILE)
    assert "<img src=x" not in html
    # The data of the timeline, and the script.
    assert html.count("</script>") == html.count("<script") == 2
    assert r"\u202eevil" in html
    assert "\u202e" not in html
    assert "🦊" in html


def test_a_page_of_a_thousand_nodes_stays_small() -> None:
    from edgesim.scenario import load_text
    from tests.edgesim.scenario.cases import BASE

    scenario = load_text(
        BASE,
        overrides=["nodes.pi.count=1000", "placement={strategy: replicate, input: hub}",
                   "traffic.requests=2000"],
    )  # fmt: skip
    html = page_of(api.run(scenario))
    assert len(html.encode()) < 1_000_000
    assert "… 951 more nodes, less busy" in html
    assert "One of 1,000 alternatives" in html


def test_many_requests_stay_within_the_limit(five_pis: Result) -> None:
    html = page_of(five_pis)
    assert len(html.encode()) < 700_000 < MOST_BYTES
    assert "of 1,000 traced requests" in html


def test_figures_are_shown_with_their_sources(five_pis: Result) -> None:
    from edgesim.hardware import catalog

    plan = plan_document(five_pis.scenario, five_pis.plan)
    assert set(plan["devices"]) == {"raspberry-pi-4b", "raspberry-pi-5", "nvidia-rtx-4090"}
    held = {figure: source for figure, _, source in plan["devices"]["raspberry-pi-4b"]}
    assert held["power.idle"] == catalog.entry("raspberry-pi-4b")["source"]["power.idle"]
    html = page_of(five_pis)
    assert "<strong>estimate</strong>" in html
    assert dump(five_pis.scenario.document).splitlines()[0] in html


def test_json_has_no_number_that_is_none(tmp_path: Path) -> None:
    out = folder.write(play(), tmp_path / "out")

    def refuse(text: str) -> float:
        raise AssertionError(text)

    document = json.loads((out / PLAN).read_text(), parse_constant=refuse)
    assert document["warmup"] == 0
    assert all(math.isfinite(task["memory_bytes"]) for task in document["branches"][0]["tasks"])


def test_planes_of_an_optical_node_are_drawn() -> None:
    import base64

    file = FIVE_PIS.with_name("pis-with-light.yaml")
    result = api.run(api.load(file, overrides=["traffic.requests=120", "baselines=[]"]))
    (drawn,) = plan_document(result.scenario, result.plan)["optics"]
    assert drawn["node"] == "light"
    # 64 images beside each other, and each of its 16 kernels for all of them: 1,024.
    assert drawn["planes"] == ["input: 64 maps", "filter: 1,024 kernels", "camera: 16 maps"]
    picture = base64.b64decode(drawn["svg"]).decode()
    assert picture.startswith("<svg")
    assert picture.count('class="tile"') == 64 + 1024 + 16
    html = page_of(result)
    assert "optics" in sections(html)
    assert drawn["svg"] in html
    assert "energy by part" in html.lower()

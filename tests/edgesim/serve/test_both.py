"""Prediction and measurement side by side: the same arrivals, honest errors, and what is kept."""

from __future__ import annotations

import csv
import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import typer
import yaml
from scipy.stats import binomtest

from edgesim import api
from edgesim.cli.run import RealOptions
from edgesim.cli.run import compare as compare_command
from edgesim.cli.session import Session
from edgesim.common.errors import EdgesimError, InputError
from edgesim.report import folder
from edgesim.results.folder import FILES as RESULT_FILES
from edgesim.results.folder import prepare, read_summary
from edgesim.results.result import Result
from edgesim.results.summary import schema
from edgesim.scenario import Scenario
from edgesim.serve.both.compare import find_loads
from edgesim.serve.both.run import Comparison, Progress, run
from edgesim.serve.coordinator.policy import Policy
from edgesim.serve.manifest import SignedManifest
from edgesim.simulate.recovery import Recovery
from tests.edgesim.command import COMMAND, assert_fails, document, edgesim, started
from tests.edgesim.serve.cluster import FREE, PARTS, Client, NodeProcess, fill, node, scenario

HELD = {"hub": ["fusion"], "pi": list(PARTS)}
TRAFFIC = "traffic={arrivals: poisson, rate: 50/s, requests: 6}"
PATIENT = ("--deadline", "1 min", "--health", "30 s")
"""No failure is expected, and none shall come of a busy machine."""
FILES = set(RESULT_FILES)


class Nodes:
    """Two nodes, and the scenario that names them."""

    def __init__(self, place: Path, processes: dict[str, NodeProcess]) -> None:
        self.processes = processes
        addresses = {name: one.inference for name, one in processes.items()}
        self.file = scenario(place / "scenario.yaml", addresses)

    def load(self, traffic: str = TRAFFIC) -> Scenario:
        return api.load(self.file, overrides=[traffic])

    def answered(self) -> int:
        """Return how many fusions the hub has answered in its life."""
        with urllib.request.urlopen(f"http://{self.processes['hub'].metrics}/metrics") as reply:
            lines = reply.read().decode().splitlines()
        key = 'edgesim_requests_total{code="OK",model="fusion"}'
        return next((int(float(line.split()[-1])) for line in lines if line.startswith(key)), 0)


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, keys: Path, manifest: SignedManifest
) -> Iterator[Nodes]:
    place = tmp_path_factory.mktemp("both")
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(
                node(place / name, keys / "localhost", "--plain", "--metrics", FREE)
            )
            for name in HELD
        }
        for name, models in HELD.items():
            with Client(processes[name].admin, None, token=keys / "admin" / "token") as admin:
                fill(admin, manifest, models)
        yield Nodes(place, processes)


measure = RealOptions(plain=True, deadline_s=60.0, health_s=30.0).run


def compare(
    found: Scenario, loads: str | None, progress: Progress = lambda label, done, total: None
) -> Comparison:
    recovery = Policy.of(found.recovery).simulated()
    return run(found, loads, measure, recovery, trace_requests=2, progress=progress)


def arrivals(directory: Path) -> list[str]:
    rows = csv.DictReader((directory / "requests.csv").read_text().splitlines())
    return [row["arrival_s"] for row in rows]


def test_the_folder_holds_both_results_and_their_comparison(
    nodes: Nodes, data_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "both"
    command = ("run", nodes.file, "--mode", "both", "--plain", *PATIENT, "--set", TRAFFIC)
    done = edgesim(*command, "--loads", "50%, scenario", "--json", "--out", out,
                   XDG_DATA_DIRS=str(data_folder))  # fmt: skip
    assert (done.returncode, done.stderr) == (0, f"Wrote {out}\n")
    told = document(done.stdout)
    assert told == json.loads((out / "comparison.json").read_text())
    assert [one["folder"] for one in told["loads"]] == ["load-0.5", "as-written"]
    assert {path.name for path in out.iterdir()} == {
        "comparison.json", "report.html", "load-0.5", "as-written",
    }  # fmt: skip
    for load in told["loads"]:
        sides = {side: out / load["folder"] / side for side in ("predicted", "measured")}
        assert {path.name for path in (out / load["folder"]).iterdir()} == {*sides}
        assert all({path.name for path in one.iterdir()} == FILES for one in sides.values())
        assert arrivals(sides["predicted"]) == arrivals(sides["measured"])
        assert len(arrivals(sides["measured"])) == 6
        summaries = {side: read_summary(path) for side, path in sides.items()}
        assert [one["mode"] for one in summaries.values()] == ["simulate", "real"]
        for summary in summaries.values():
            jsonschema.validate(summary, schema())
            # One capacity, told once.
            assert summary["plan"]["capacity_per_s"] == told["capacity_per_s"]
            assert summary["plan"]["bottleneck"] == told["bounded_by"]
        check_errors(load, summaries["predicted"], summaries["measured"])
        check_outcomes(load, summaries)
        # The scenario that is kept has the rate that was played.
        kept = yaml.safe_load((sides["measured"] / "scenario.yaml").read_text())
        assert kept["traffic"]["rate"] in (load["rate_per_s"], "50/s")
        assert api.load(sides["measured"] / "scenario.yaml").traffic.rate_per_s == pytest.approx(
            load["rate_per_s"], rel=1e-12
        )
    half, own = told["loads"]
    assert half["rate_per_s"] == pytest.approx(0.5 * told["capacity_per_s"], rel=1e-12)
    assert own["rate_per_s"] == 50.0
    assert not told["partial"]
    # The page comes from the files alone, and is the same.
    page = (out / "report.html").read_text()
    (out / "report.html").unlink()
    assert edgesim("report", out).returncode == 0
    assert (out / "report.html").read_text() == page
    assert page.count('<svg class="broad"') == 2


def check_outcomes(load: dict, summaries: dict[str, dict]) -> None:
    """Every request has one outcome; compute the shares once more, from the summaries."""
    for side, summary in summaries.items():
        requests = summary["requests"]
        shares = {name: pair[side] for name, pair in load["outcomes"].items()}
        assert shares["in_time"] + shares["late"] + shares["dropped"] + shares["failed"] == 1.0
        for name in ("degraded", "failed"):
            assert shares[name] == requests[name] / requests["offered"]
    for pair in load["outcomes"].values():
        assert pair["difference"] == pair["predicted"] - pair["measured"]


def check_errors(load: dict, predicted: dict, measured: dict) -> None:
    """Compute every error once more, from the summaries as they lie in their folders."""
    pairs = [
        (load["latency_s"][name], predicted["latency_s"][name], measured["latency_s"][name])
        for name in ("mean", "p50", "p90", "p95", "p99", "p99.9", "max")
    ]
    pairs += [
        (load["breakdown_s"][name], predicted["breakdown_s"][name], measured["breakdown_s"][name])
        for name in ("queue", "compute", "transfer", "fusion")
    ]
    key = "throughput_per_s"
    pairs.append((load[key], predicted[key], measured[key]))
    for kind, keys in (("nodes", ["utilization"]), ("links", ["bytes", "utilization"])):
        assert load[kind].keys() == predicted[kind].keys() == measured[kind].keys()
        pairs += [
            (row[one], predicted[kind][name][one], measured[kind][name][one])
            for name, row in load[kind].items()
            for one in keys
        ]
    assert len(pairs) == 7 + 4 + 1 + 2 + 2 * 2
    for pair, ours, theirs in pairs:
        assert (pair["predicted"], pair["measured"]) == (ours, theirs)
        assert pair["error"] == pytest.approx(ours / theirs - 1.0, rel=1e-9, abs=1e-12)
    top1, right = load["accuracy"]["top1"], measured["accuracy"]
    assert top1["predicted"] == predicted["accuracy"]["top1"]
    assert top1["measured"] == right["top1"]
    trials = binomtest(round(right["top1"] * right["samples"]), right["samples"])
    around = trials.proportion_ci(method="wilson")
    assert top1["measured_95"] == pytest.approx([around.low, around.high], rel=1e-6)
    for side, summary in (("predicted", predicted), ("measured", measured)):
        assert load["requests"][side] == summary["requests"]
        assert load["latency_s"]["mean"][f"{side}_95"] == summary["confidence_95"]["mean"]


def test_traffic_without_a_rate_is_played_once_as_written(nodes: Nodes, tmp_path: Path) -> None:
    closed = nodes.load("traffic={arrivals: closed, concurrency: 2, requests: 4}")
    found = compare(closed, None)
    (load,) = found.document["loads"]
    assert (load["folder"], load["share"], load["rate_per_s"]) == ("as-written", None, None)
    assert load["requests"]["measured"]["completed"] == 4
    # Over an older result, be it of one run or of two.
    results = [(one.load.folder, one.predicted, one.measured) for one in found.compared]
    folder.write(found.compared[0].measured, tmp_path / "out")
    folder.write_comparison(found.document, results, tmp_path / "out")
    folder.write_comparison(found.document, results, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.json", "report.html", "as-written",
    }  # fmt: skip
    (tmp_path / "out" / "as-written" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files that are no result"):
        prepare(tmp_path / "out")


def test_loads_are_shares_of_the_capacity(nodes: Nodes) -> None:
    found = nodes.load()
    usual = find_loads(None, found, 40.0)
    assert [one.traffic.rate_per_s for one in usual] == pytest.approx([4.0, 20.0, 36.0])
    assert {one.traffic.requests for one in usual} == {6}
    assert [one.duration_s for one in usual] == pytest.approx([1.5, 0.3, 1 / 6])
    periodic = replace(nodes.load("traffic={arrivals: periodic, rate: 50/s, requests: 3}"))
    assert [one.traffic.rate_per_s for one in find_loads("0.25", periodic, 40.0)] == [10.0]
    (above,) = find_loads("1.5", found, 40.0)
    assert (above.traffic.rate_per_s, above.folder) == (60.0, "load-1.5")
    closed = nodes.load("traffic={arrivals: closed, requests: 3}")
    assert [one.scenario for one in find_loads(None, closed, 40.0)] == [closed]
    with pytest.raises(InputError, match="belong to poisson or periodic arrivals"):
        find_loads("0.5", closed, 40.0)
    with pytest.raises(InputError, match="'50 %' comes twice"):
        find_loads("0.5,50 %", found, 40.0)
    for text in ("abc", "0", "10.5", "-0.5", "0.5,,0.9", "nan", "", "0.5/s"):
        with pytest.raises(
            InputError, match="expected shares of the capacity above 0 and up to 10"
        ):
            find_loads(text, found, 40.0)


def test_what_is_no_comparison_says_so(nodes: Nodes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    both = ("run", nodes.file, "--mode", "both", "--out", out)
    assert_fails(edgesim(*both), 2, ["--mode both needs --keys DIR"])
    assert_fails(edgesim(*both, "--plain", "--set", TRAFFIC, "--loads", "abc"), 2, ["abc", "0.1"])
    lacking = ("--set", "nodes.pi={device: raspberry-pi-4b}")
    assert_fails(edgesim(*both, "--plain", *lacking), 2, ["no address of 'pi'"])
    simulated = edgesim("run", nodes.file, "--loads", "0.5", "--out", out)
    assert_fails(simulated, 2, ["--loads is for --mode real or both"])
    assert not out.exists()


def test_what_was_finished_before_an_interrupt_is_kept(nodes: Nodes) -> None:
    def at(label: str, done: int) -> Progress:
        def progress(told: str, so_far: int, total: int) -> None:
            if label in told and so_far >= done:
                raise KeyboardInterrupt

        return progress

    long = nodes.load("traffic={arrivals: periodic, rate: 20/s, requests: 12}")
    # While the second load is measured: what was measured of it, too.
    found = compare(long, "0.9,scenario", at("2/2 on nodes", 3))
    assert found.partial
    assert found.document["partial"]
    first, second = found.document["loads"]
    assert (first["partial"], second["partial"]) == (False, True)
    assert first["requests"]["measured"]["completed"] == 12
    assert 3 <= second["requests"]["measured"]["completed"] < 12
    assert second["requests"]["predicted"]["completed"] == 12
    assert any("interrupted" in text for text in found.document["warnings"])
    # While it is predicted: half a prediction is none.
    found = compare(long, "0.9,scenario", at("2/2 predicted", 0))
    assert found.partial
    assert [one["folder"] for one in found.document["loads"]] == ["load-0.9"]
    with pytest.raises(KeyboardInterrupt):
        compare(long, "0.9,scenario", at("1/2 predicted", 0))


def test_loads_before_a_failure_are_kept(
    nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def failing(found: Scenario, *, trace_requests: int, progress: Progress) -> Result:
        calls.append(found)
        if len(calls) == 2:
            raise EdgesimError("not every node is ready: 'pi' has gone")
        return measure(found, trace_requests=trace_requests, progress=progress)

    found = run(
        nodes.load(), "0.5,0.9", failing, Policy.of(Recovery()).simulated(), trace_requests=0,
        progress=lambda label, done, total: None,
    )  # fmt: skip
    assert str(found.failure) == "not every node is ready: 'pi' has gone"
    assert [one["folder"] for one in found.document["loads"]] == ["load-0.5"]
    assert found.document["partial"]
    assert "1 of 2 loads: not every node is ready: 'pi' has gone" in found.document["warnings"]
    # The devices are of the catalog: what asking costs them stands in no data sheet.
    assert any("was not measured: pi, hub; run" in one for one in found.document["warnings"])
    for as_json in (False, True):
        calls.clear()
        with pytest.raises(typer.Exit) as ended:
            compare_command(
                Session(as_json=as_json), nodes.load(), "0.5,0.9", failing,
                Policy.of(Recovery()).simulated(),
                tmp_path / "out", trace_requests=0,
            )  # fmt: skip
        assert ended.value.exit_code == 1
        kept = folder.read_comparison(tmp_path / "out")
        assert kept["partial"]
        shown = capsys.readouterr()
        assert "has gone; the loads before it are kept, marked partial\n" in shown.err
        if as_json:
            assert document(shown.out) == kept
        else:
            assert "50 % of capacity" in shown.out
            assert "Wrote " in shown.out
    calls.pop()
    with pytest.raises(EdgesimError, match="has gone"):
        run(
            nodes.load(), "0.5,0.9", failing, Policy.of(Recovery()).simulated(), trace_requests=0,
            progress=lambda label, done, total: None,
        )  # fmt: skip


def test_ctrl_c_leaves_a_folder_that_says_so(nodes: Nodes, tmp_path: Path) -> None:
    traffic = "traffic={arrivals: periodic, rate: 20/s, requests: 2000}"
    before = nodes.answered()
    command = [*COMMAND, "run", nodes.file, "--mode", "both", "--plain", *PATIENT]
    command += ["--set", traffic, "--loads", "scenario", "--out", "out"]
    with started([*map(str, command)], tmp_path) as process:
        # The hub tells when answers have come; there are 100 seconds of them.
        for _ in range(20_000):
            if nodes.answered() >= before + 3:
                break
        else:
            raise AssertionError("no answers came")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert errors == "edgesim: interrupted; what had finished is kept, marked partial\n"
    assert "warning: interrupted" in output
    told = folder.read_comparison(tmp_path / "out")
    assert told["partial"]
    (load,) = told["loads"]
    assert 1 <= load["requests"]["measured"]["completed"] < 2000

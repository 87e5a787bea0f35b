"""Bad input through the real command line: one clear message, status 2, nothing written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.edgesim.command import FIVE_PIS, assert_fails, document, edgesim
from tests.edgesim.scenario.cases import TASKS, changed


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 100)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100_000_000)


def huge_text(path: Path) -> None:
    path.write_bytes(b"# " + b"x" * 100_000_000)


def write(text: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(text) and None


CYCLE = changed("12.5 MB}", "1 B}, {from: b, to: a, bytes: 1 B}", TASKS)
UNREACHABLE = changed(
    "ends: [A, B]",
    "ends: [A, s]}, as: {bandwidth: 1 B/s, ends: [A, s]}, b: {bandwidth: 1 B/s, ends: [B, t]}, "
    "bt: {bandwidth: 1 B/s, ends: [B, t]", TASKS,
)  # fmt: skip
FILES = {
    "empty": (write(""), ["c.yaml is empty; expected a scenario"]),
    "binary": (binary, ["c.yaml: expected a scenario in UTF-8 text, got the byte", "binary file"]),
    "100 MB of zeros": (huge, ["expected a scenario of at most 10,000,000 bytes"]),
    "100 MB of text": (huge_text, ["expected a scenario of at most 10,000,000 bytes"]),
    "folder": (Path.mkdir, ["c.yaml is a folder; expected a scenario file"]),
    "missing": (lambda path: None, ["c.yaml does not exist"]),
    "wrong types": (write(changed("count: 2", "count: two")),
                    ["c.yaml:5:40: nodes.pi.count: expected an integer, got 'two'"]),
    "unknown device": (write(changed("raspberry-pi-5", "raspberry-pi-6")),
                       ["c.yaml:6:17: nodes.hub.device: no device is named 'raspberry-pi-6'"]),
    "cycle": (write(CYCLE), ["c.yaml:4:45: model.transfers.1: tasks wait for each other: cycle"]),
    "unreachable": (write(UNREACHABLE), ["c.yaml:4:15: model.transfers.0: node 'A' has no route"]),
    "zero requests": (write(changed("requests: 10", "requests: 0")),
                      ["c.yaml:9:53: traffic.requests: expected at least 1, got 0"]),
}  # fmt: skip


@pytest.mark.parametrize(("make", "parts"), FILES.values(), ids=FILES)
def test_wrong_files(make: Callable[[Path], None], parts: list[str], tmp_path: Path) -> None:
    make(tmp_path / "c.yaml")
    assert_fails(edgesim("run", "c.yaml", "--out", "out", cwd=tmp_path), 2, parts)
    assert not (tmp_path / "out").exists()


def test_wrong_quantities_are_all_told(tmp_path: Path) -> None:
    settings = {
        "traffic.rate": "-1/s",
        "network.switch.bandwidth": ".nan",
        "network.switch.latency": ".inf",
        "nodes.pi.batch.wait": "1e999 s",
        "placement.memory_budget": "-5 GB",
    }
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    done = edgesim("run", FIVE_PIS, "--out", "out", *options, cwd=tmp_path)
    assert_fails(done, 2, [f"--set {key}={value}: {key}: " for key, value in settings.items()])
    assert os.listdir(tmp_path) == []


def test_a_model_that_does_not_fit_names_the_node_and_the_bytes() -> None:
    held = document(edgesim("check", FIVE_PIS, "--json").stdout)["memory"]["hub"]["bytes"]
    device = "nodes.hub.device={peak: {fp32: 1 TFLOP/s}, memory: {capacity: 1 MB}}"
    lacks = f"node 'hub' (hub) lacks {held - 1e6:,.0f} bytes"
    assert_fails(edgesim("check", FIVE_PIS, "--set", device), 2, [lacks])
    assert_fails(
        edgesim("check", FIVE_PIS, "--set", "placement.memory_budget=1 MB"),
        2,
        ["placement.memory_budget: a sub-model of 3 of 12 heads on node 'pi-0' takes"],
    )


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run"], ["missing argument 'FILE'; `python -m edgesim run --help` shows the usage"]),
        (["run", "c.yaml", "--bogus"], ["no such option: --bogus"]),
        (["run", "c.yaml", "--seed", "x"], ["'--seed': expected an integer, got 'x'"]),
        (["run", "c.yaml", "--seed", "-1"], ["'--seed': expected at least 0, got '-1'"]),
        (["run", "c.yaml", "--trace", "-1"], ["'--trace': expected at least 0, got '-1'"]),
        (["run", "c.yaml", "--tries", "0"], ["'--tries': expected at least 1, got '0'"]),
        (["run", "c.yaml", "--mode", "dream"], ["'--mode': 'dream' is not one of 'simulate'"]),
        (["chek", "c.yaml"], ["no such command 'chek'. Did you mean 'check'"]),
        (["devices", "raspbery-pi-5"], ["no device is named 'raspbery-pi-5'"]),
        (["models", "vit"], ["no model is named 'vit'"]),
        (["report", "nowhere"], ["is no result folder; name one that `edgesim run`"]),
    ],
)
def test_wrong_usage(arguments: list[str], parts: list[str], tmp_path: Path) -> None:
    # With --json, the same message is in the one document too.
    done = edgesim(*arguments, "--json", cwd=tmp_path)
    told = document(done.stdout)["error"]
    assert told["exit_status"] == 2
    assert done.stderr == f"edgesim: {told['message']}\n"
    done.stdout = ""
    assert_fails(done, 2, parts)


def test_a_rate_above_capacity_runs_and_is_told(tmp_path: Path) -> None:
    options = ["--out", tmp_path / "out", "--set", "traffic.rate=50/s", "--set", "baselines=[]"]
    done = edgesim("run", FIVE_PIS, *options)
    assert done.returncode == 0
    told = " ".join(done.stdout.split())
    assert "warning: overloaded: 50 requests/s are offered" in told
    assert "the queue did not settle" in told
    assert "1,000 of 1,000 requests answered" in told
    done = edgesim("check", FIVE_PIS, "--set", "traffic.rate=50/s")
    assert done.returncode == 0
    assert "overloaded, the queue will grow" in done.stdout
    done = edgesim("check", FIVE_PIS, "--set", "traffic.rate=50/s", "--set", "recovery.deadline=9")
    bounded = " ".join(done.stdout.split())
    assert "overloaded, a deadline or time-out ends every wait" in bounded
    assert "will grow" not in bounded


def test_wrong_results_are_told(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{")
    assert_fails(edgesim("report", tmp_path), 2, ["summary.json is no JSON"])


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    assert edgesim("init", "new/folder", cwd=tmp_path).returncode == 0
    path = tmp_path / "new" / "folder" / "cluster.yaml"
    path.write_text("mine")
    assert_fails(edgesim("init", "new/folder", cwd=tmp_path), 2, ["exists already"])
    assert path.read_text() == "mine"
    assert_fails(edgesim("init", path, cwd=tmp_path), 2, ["cluster.yaml is a file, not a folder"])

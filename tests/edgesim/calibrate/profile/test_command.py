"""``edgesim profile`` as users start it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgesim.graph import fingerprint
from edgesim.scenario.named_files import find_device
from tests.edgesim.command import (
    ROOT,
    assert_fails,
    document,
    edgesim,
    environment,
    started,
)

FASHION = ROOT / "examples" / "fashion-2"
BRIEF = """
from dataclasses import replace
from edgesim.calibrate.profile import profile
profile._QUICK = replace(profile._QUICK, rounds=2)
from edgesim.__main__ import main
main()
"""
"""The command, where ``--quick`` measures operators in fewer rounds; messages as it does anyway."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("profile") / "here.yaml"
    done = subprocess.run(
        [sys.executable, "-c", BRIEF, "profile", "--out", out, "--artifact", FASHION, "--quick",
         "--json", "--power", "idle=2.7W,busy=6.4W"],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"Wrote {out}" in done.stderr
    return out, document(done.stdout)


def test_the_file_is_a_device_with_the_models_in_it(made: tuple[Path, dict]) -> None:
    from edgesim.artifact import load

    out, told = made
    device = find_device(str(out))
    artifact = load(FASHION)
    for graph, row in (
        (artifact.parts[0].graph, told["models"][0]),
        (artifact.fusion, told["models"][2]),
    ):
        found = next(one for one in device.measured if one.operators == fingerprint(graph))
        assert (found.precision, found.batch) == ("fp32", 1)
        assert found.time_s == pytest.approx(row["time_s"], rel=1e-3)
        assert device.graph_cost(graph, "fp32").time_s == found.time_s
        assert row["runs"] >= 10
    assert len(device.spread) == 21
    assert device.messaging.per_message_s > 0
    assert device.messaging.asking.per_request_s > 0
    assert (device.power.idle_w, device.power.busy_w) == (2.7, 6.4)
    assert "by hand" in device.source["power"]
    assert {"peak", "memory.bandwidth", "efficiency", "messaging", "measured"} <= set(device.source)


def test_a_scenario_takes_the_file(made: tuple[Path, dict], tmp_path: Path) -> None:
    out, _ = made
    done = edgesim(
        "run", ROOT / "examples/real-nodes.yaml", "--set", f"nodes.pi.device={out}",
        "--set", f"nodes.hub.device={out}", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "status", "parts"),
    [
        (["--out", "here.txt"], 2, ["--out", ".yaml"]),
        (["--out", "x.yaml", "--device", "tpu"], 2, ["--device", "cuda"]),
        (["--out", "x.yaml", "--device", "cuda"], 2, ["no GPU"]),
        (["--out", "x.yaml", "--cpus", "998"], 2, ["998"]),
        (["--out", "x.yaml", "--cpus", "a"], 2, ["0-2,5"]),
        (["--out", "x.yaml", "--batch", "0"], 2, ["--batch"]),
        (["--out", "x.yaml", "--power", "much"], 2, ["--power", "idle=2.7W"]),
        (["--out", "x.yaml", "--precision", "int3"], 2, ["--precision"]),
        (["--out", "x.yaml", "--model", "vit_tiny_patch16"], 2, ["vit_tiny_patch16_224"]),
        (["--out", "x.yaml", "--artifact", "nowhere"], 2, ["nowhere", "no"]),
        (["--out", "/proc/nothing/x.yaml"], 2, ["cannot write /proc/nothing/x.yaml"]),
    ],
)
def test_wrong_input_is_told_before_anything_is_measured(
    options: list[str], status: int, parts: list[str], tmp_path: Path
) -> None:
    assert_fails(edgesim("profile", *options, cwd=tmp_path), status, parts)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    command = [sys.executable, "-c", BRIEF, "profile", "--out", str(tmp_path / "x.yaml"), "--quick"]
    with started(command, tmp_path) as process:
        until_s = time.monotonic() + 60
        while not list(scratch.glob("*/node/keys/*")) and time.monotonic() < until_s:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in told
    assert "Traceback" not in told
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "x.yaml").exists()

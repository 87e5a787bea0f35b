"""Ctrl-C and SIGTERM at any moment: what had finished is kept, and nothing half-written."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from edgesim.results.folder import FILES
from tests.edgesim.command import COMMAND, FIVE_PIS, document, edgesim, environment, started

# More than can be played while a test lasts.
ENDLESS = ["run", str(FIVE_PIS), "--set", "traffic.requests=3000000", "--out", "out"]
KEPT = "edgesim: interrupted; what had finished is kept, marked partial\n"

Start = Callable[[list[str], Path], subprocess.Popen[str]]

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="watches the process in /proc"
)


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda arguments, cwd: stack.enter_context(started([*COMMAND, *arguments], cwd))


def until(condition, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def catches_sigterm(process: subprocess.Popen[str]) -> bool:
    """Whether the process has set its handlers; Python itself sets one of SIGINT only."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


def processor_s(process: subprocess.Popen[str]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / 100


def interrupt(process: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    process.send_signal(number)
    out, error = process.communicate(timeout=120)
    return process.returncode, out, error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_it_plays(number: int, start: Start, tmp_path: Path) -> None:
    process = start(ENDLESS, tmp_path)
    # A second and a half of work, of which loading takes less than one.
    until(lambda: processor_s(process) > 1.5, process)
    status, out, error = interrupt(process, number)
    assert (status, error) == (1, KEPT)
    assert "requests answered" in out
    assert "warning: interrupted: this is what had finished by then" in out
    result = tmp_path / "out"
    assert sorted(path.name for path in result.iterdir()) == sorted(FILES)
    summary = json.loads((result / "summary.json").read_text())
    assert summary["partial"]
    requests = summary["requests"]
    assert 0 < requests["completed"] <= requests["offered"] < 3_000_000
    # What finished is what an uninterrupted run of as many requests has.
    rows = (result / "requests.csv").read_text().splitlines()
    assert len(rows) == 1 + requests["offered"]
    count = min(500, requests["completed"])
    whole = edgesim(*ENDLESS[:2], "--out", tmp_path / "whole", "--set", f"traffic.requests={count}")
    assert whole.returncode == 0
    first = (tmp_path / "whole" / "requests.csv").read_text().splitlines()
    assert rows[: count // 2] == first[: count // 2]


def test_json_of_what_had_finished(start: Start, tmp_path: Path) -> None:
    process = start([*ENDLESS, "--json"], tmp_path)
    until(lambda: processor_s(process) > 1.5, process)
    status, out, error = interrupt(process, signal.SIGINT)
    assert status == 1
    assert document(out)["partial"]
    assert error == f"Wrote out\n{KEPT}"


def test_before_it_plays(start: Start, tmp_path: Path) -> None:
    process = start([*ENDLESS, "--json"], tmp_path)
    until(lambda: catches_sigterm(process), process)
    status, out, error = interrupt(process, signal.SIGINT)
    assert status == 1
    assert document(out) == {"error": {"message": "interrupted", "exit_status": 1}}
    assert error == "edgesim: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_while_a_baseline_plays(start: Start, tmp_path: Path) -> None:
    scenario = yaml.safe_load(FIVE_PIS.read_text())
    scenario["traffic"] = {"arrivals": "poisson", "rate": "0.5/s", "requests": 4_000}
    scenario["baselines"] = [{"device": "raspberry-pi-4b", "name": f"{n}"} for n in range(999)]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(scenario))
    process = start(["run", "c.yaml", "--out", "out"], tmp_path)
    until(lambda: processor_s(process) > 2.5, process)
    status, _, error = interrupt(process, signal.SIGINT)
    assert (status, error) == (1, KEPT)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    # The cluster's run is whole; of the baselines, those are there that had finished.
    assert summary["partial"]
    assert summary["requests"]["completed"] == 4_000
    assert len(summary["baselines"]) < 999
    assert all(row["latency_s"] for row in summary["baselines"].values())


@pytest.mark.parametrize("part", range(4))
def test_at_a_random_moment(part: int, start: Start, tmp_path: Path) -> None:
    # Loading, playing and writing, whichever it hits: an older result stays whole or gives way to
    # a whole one, and there is one message and no traceback.
    arguments = ["run", str(FIVE_PIS), "--set", "traffic.requests=4000", "--out", "out"]
    assert edgesim(*arguments, "--set", "traffic.requests=5", cwd=tmp_path).returncode == 0
    moment = random.Random(part).uniform(0.0, 1.0)
    process = start(arguments, tmp_path)
    until(lambda: catches_sigterm(process), process)
    begun = processor_s(process)
    while process.poll() is None and processor_s(process) < begun + moment:
        time.sleep(0.002)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert "Traceback" not in out + error
    assert "Exception ignored" not in error
    if process.returncode:
        assert process.returncode == 1
        assert error.count("edgesim: interrupted") == 1
    else:
        assert error == ""
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    result = tmp_path / "out"
    assert sorted(path.name for path in result.iterdir()) == sorted(FILES)
    summary = json.loads((result / "summary.json").read_text())
    assert len((result / "requests.csv").read_text().splitlines()) == (
        1 + summary["requests"]["offered"]
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_after_the_work_is_done_changes_nothing(number: int) -> None:
    code = f"""
import os
from edgesim.common.interrupts import quit_at_once
quit_at_once()
class Late:
    def __init__(self):
        self.kill, self.process = os.kill, os.getpid()
    def __del__(self):
        self.kill(self.process, {int(number)})
late = Late()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_interrupt_ends_the_writing_and_leaves_nothing(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from edgesim.report import folder
from edgesim.results import tables_csv
def slow(recording):
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    raise AssertionError("not interrupted")
tables_csv.tasks = slow
from edgesim.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(FIVE_PIS), "--set", "traffic.requests=5",
         "--out", "out"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "edgesim: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_one_interrupt_while_it_writes_lets_it_end(tmp_path: Path) -> None:
    code = """
import os, signal
from edgesim.report import folder
from edgesim.results import tables_csv
whole = tables_csv.tasks
def slow(recording):
    os.kill(os.getpid(), signal.SIGINT)
    return whole(recording)
tables_csv.tasks = slow
from edgesim.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(FIVE_PIS), "--set", "traffic.requests=5",
         "--out", "out"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = "edgesim: interrupted after the run had ended; its result is complete\n"
    assert (done.returncode, done.stderr) == (1, told)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert not json.loads((tmp_path / "out" / "summary.json").read_text())["partial"]

"""Sweeps: the same table for any workers, whenever it was interrupted."""

from __future__ import annotations

import csv
import os
import random
import signal
import sqlite3
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgesim import api
from edgesim.common.errors import EdgesimError, InputError
from edgesim.sweep.reader import from_mapping, load
from edgesim.sweep.run import local_pool, run_study, sweep
from edgesim.sweep.store import read
from tests.edgesim.command import COMMAND, FIVE_PIS, assert_fails, document, edgesim, started
from tests.edgesim.sweep.studies import FLOP, ONE_NODE, PEAK, grid, mapping


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_latencies_are_the_quotients_that_the_points_say() -> None:
    table = run_study(grid(4, 3))
    assert table.complete
    assert table.failed == 0
    for row in table:
        flop, peak, latency_s = row[FLOP], row[PEAK], row["latency_s.mean"]
        assert isinstance(flop, float)
        assert isinstance(peak, float)
        assert latency_s == pytest.approx(flop / peak, rel=1e-12)
    assert [column.name for column in table.axes] == [FLOP, PEAK]


def test_a_point_is_the_run_with_the_same_settings() -> None:
    axes = {"traffic.rate": ["0.2/s", "2/s"], "nodes.pi.count": [5, 7]}
    study = {"base": str(FIVE_PIS), "axes": axes, "keep": ["latency_s.p99", "energy_j.total"]}
    table = run_study(study)
    for row, (rate, count) in zip(table, [("0.2/s", 5), ("0.2/s", 7), ("2/s", 5), ("2/s", 7)]):
        scenario = api.load(FIVE_PIS, overrides=[f"traffic.rate={rate}", f"nodes.pi.count={count}"])
        summary = api.run(scenario).summary
        assert row["latency_s.p99"] == summary["latency_s"]["p99"]
        assert row["energy_j.total"] == summary["energy_j"]["total"]


def test_baselines_are_simulated_for_their_results() -> None:
    study = {"base": str(FIVE_PIS), "axes": {"traffic.requests": [20]},
             "keep": ["baselines.nvidia-rtx-4090.speedup"]}  # fmt: skip
    (row,) = run_study(study)
    summary = api.run(api.load(FIVE_PIS, overrides=["traffic.requests=20"])).summary
    speedup = row["baselines.nvidia-rtx-4090.speedup"]
    assert speedup == summary["baselines"]["nvidia-rtx-4090"]["speedup"]


def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path) -> None:
    for workers in (1, 2, 3):
        run_study(grid(5, 4), tmp_path / str(workers), workers=workers)
    one = (tmp_path / "1" / "table.csv").read_bytes()
    assert one.count(b"\n") == 21
    assert (tmp_path / "2" / "table.csv").read_bytes() == one
    assert (tmp_path / "3" / "table.csv").read_bytes() == one


def test_a_failed_point_is_a_row_with_its_error(tmp_path: Path) -> None:
    axes = {"model.tasks.work.memory": ["1 MB", "3 GB", "2 MB"],
            "traffic.arrivals": ["closed", "poisson"], "traffic.rate": [None, "1/s"]}  # fmt: skip
    base = {**ONE_NODE, "nodes": {"n": {"device": {"peak": {"fp32": "1 GFLOP/s"},
                                                   "memory": {"capacity": "1 GB"}}}}}  # fmt: skip
    for workers in (1, 2):
        table = run_study({**mapping(axes), "base": base}, tmp_path / str(workers), workers=workers)
        assert table.failed == 8
        assert table.errors[0] is table.errors[3] is None
        assert "'rate' belongs to periodic, poisson or server, not to closed" in table.errors[1]
        assert "expected a value for 'rate'" in table.errors[2]
        assert "lacks 2,000,000,000 bytes" in str(table.errors[4])
        assert table.rows()[4]["latency_s.mean"] is None
    one, two = ((tmp_path / name / "table.csv").read_bytes() for name in "12")
    assert one == two


def test_errors_of_a_study_in_files_are_the_same_for_any_workers(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(ONE_NODE))
    axes = {"model.tasks.work.cores": [1, 2, 3], "nodes.n.device.cores": [1, 3]}
    path = written(tmp_path, {**mapping(axes), "base": "base.yaml"})
    for workers in (1, 2):
        table = run_study(path, tmp_path / str(workers), workers=workers)
        told = "base.yaml: model.tasks.work.cores: expected at most 1, the cores of 'n', got"
        assert table.errors == (None, None, f"{told} 2", None, f"{told} 3", None)
    one, two = ((tmp_path / name / "table.csv").read_bytes() for name in "12")
    assert one == two


def test_points_with_a_row_are_not_simulated_again(tmp_path: Path) -> None:
    study = from_mapping(grid(5, 4))

    def some(check: Any) -> Any:
        pool = local_pool(study, 1, check)
        simulate = pool.simulate

        def few(tasks: Any) -> Any:
            for number, row in enumerate(simulate(tasks)):
                if number == 7:
                    raise EdgesimError("the worker fell over")
                yield row

        pool.simulate = few  # type: ignore[method-assign]
        return pool

    with pytest.raises(EdgesimError, match=r"fell over; 7 of 20 points are in .*goes on"):
        sweep(study, tmp_path / "a", some)
    table = read(tmp_path / "a")
    assert list(table.point) == list(range(7))
    assert not table.complete
    assert not (tmp_path / "a" / "table.csv").exists()
    swept = sweep(study, tmp_path / "a", lambda check: local_pool(study, 1, check))
    assert (swept.found, swept.simulated) == (7, 13)
    run_study(study, tmp_path / "b")
    assert (tmp_path / "a" / "table.csv").read_bytes() == (
        tmp_path / "b" / "table.csv"
    ).read_bytes()
    swept = sweep(study, tmp_path / "a", lambda check: local_pool(study, 1, check))
    assert (swept.found, swept.simulated) == (20, 0)


SLOW = 200
"""Points of more than ten milliseconds each: two processes take a second or more for them."""


def slow() -> dict[str, Any]:
    """A study that is still under way when it is killed."""
    base = {**ONE_NODE, "traffic": {"arrivals": "closed", "requests": 4_000}}
    return {**grid(SLOW, 1), "base": base}


def sweeping(folder: Path, workers: int) -> subprocess.Popen[str]:
    command = [*COMMAND, "sweep", "study.yaml", "--out", "out", "--workers", str(workers)]
    return started(command, folder)  # type: ignore[return-value]


def rows(folder: Path) -> int:
    path = folder / "out" / "points.sqlite"
    if not path.exists():
        return 0
    file = sqlite3.connect(path, timeout=30)
    try:
        return int(file.execute("SELECT count(*) FROM points").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the file is there, its table is yet to be made
    finally:
        file.close()


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def has_more(folder: Path, before: int, process: subprocess.Popen[str]) -> bool:
    return rows(folder) > before or process.poll() is not None


def all_gone(pids: list[int]) -> bool:
    return all(gone(pid) for pid in pids)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(what: Any) -> None:
    deadline_s = time.monotonic() + 60.0
    while not what():
        assert time.monotonic() < deadline_s, "nothing happened for a minute"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, workers: int) -> None:
    written(tmp_path, slow())
    moments = random.Random(workers)
    before = 0
    for _ in range(2 if workers == 1 else 1):
        with sweeping(tmp_path, workers) as process:
            wait_for(partial(has_more, tmp_path, before, process))
            time.sleep(moments.uniform(0.0, 0.2))
            assert process.poll() is None
            workmen = children(process.pid)
            assert len(workmen) == (workers if workers > 1 else 0)
            process.kill()
            process.wait()
        wait_for(partial(all_gone, workmen))
        now = rows(tmp_path)
        assert before < now < SLOW
        before = now
    study = load(tmp_path / "study.yaml")
    swept = sweep(study, tmp_path / "out", lambda check: local_pool(study, 1, check))
    assert (swept.found, swept.simulated) == (before, SLOW - before)
    with (tmp_path / "out" / "table.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [int(row["point"]) for row in table] == list(range(SLOW))
    assert all(float(row["latency_s.mean"]) == pytest.approx(float(row[FLOP])) for row in table)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_keeps_what_is_finished(tmp_path: Path, workers: int) -> None:
    written(tmp_path, slow())
    with sweeping(tmp_path, workers) as process:
        wait_for(lambda: rows(tmp_path) > 0)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 1
        kept = rows(tmp_path)
        assert f"edgesim: interrupted; {kept:,} of 200 points are in out" in told
        assert "Traceback" not in told


def test_a_worker_that_dies_ends_the_sweep_with_a_message(tmp_path: Path) -> None:
    written(tmp_path, slow())
    with sweeping(tmp_path, 2) as process:
        wait_for(lambda: rows(tmp_path) > 0)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 1
        assert told.startswith("edgesim: a worker process ended by SIGKILL")
        assert "points are in out, the same command goes on" in told


def test_a_billion_points_are_refused_unless_meant(tmp_path: Path) -> None:
    many = mapping({FLOP: {"from": 1, "to": 2, "steps": 100_000},
                    PEAK: {"from": 1, "to": 2.5, "steps": 10_000}})  # fmt: skip
    written(tmp_path, many)
    done = edgesim("sweep", "study.yaml", cwd=tmp_path)
    assert_fails(done, 2, ["1,000,000,000 points (100,000 × 10,000)", "add --yes"])
    assert not (tmp_path / "runs").exists()
    with sweeping_many(tmp_path) as process:
        wait_for(lambda: rows(tmp_path) > 0 or process.poll() is not None)
        assert process.poll() is None


def sweeping_many(folder: Path) -> Any:
    return started([*COMMAND, "sweep", "study.yaml", "--out", "out", "--yes"], folder)


def test_the_command_tells_what_it_did(tmp_path: Path) -> None:
    written(tmp_path, grid(2, 2))
    done = edgesim("sweep", "study.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "small  4 of 4 points" in done.stdout
    assert done.stdout.endswith("Wrote runs/small. Its page: edgesim report runs/small\n")
    again = edgesim("sweep", "study.yaml", "--json", cwd=tmp_path)
    told = document(again.stdout)
    assert (told["points"], told["found"], told["simulated"], told["failed"]) == (4, 4, 0, 0)
    assert [row["latency_s.mean"] for row in told["rows"]] == [1.0, 0.5, 2.0, 1.0]
    assert (tmp_path / "runs" / "small" / "table.csv").read_text().splitlines() == [
        f"point,{FLOP},{PEAK},latency_s.mean,settled,error",
        "0,1.0,1.0,1.0,1,", "1,1.0,2.0,0.5,1,", "2,2.0,1.0,2.0,1,", "3,2.0,2.0,1.0,1,",
    ]  # fmt: skip


OVERLOADED: dict[str, Any] = {
    **ONE_NODE,
    "traffic": {"arrivals": "periodic", "rate": "0.5/s", "requests": 200},
}
"""A second of work for every request: the queue settles below one request a second."""
RATES = {"traffic.rate": ["0.5/s", "0.9/s", "2/s", "4/s"]}


def test_points_whose_queue_did_not_settle_are_marked_and_counted(tmp_path: Path) -> None:
    written(tmp_path, {**mapping(RATES), "base": OVERLOADED})
    done = edgesim("sweep", "study.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("did not settle") == 1
    assert "*: the queue did not settle: latencies grow with the length of the run" in done.stdout
    assert "Wrote runs/small. Its page: edgesim report runs/small\n" in done.stdout
    told = document(edgesim("sweep", "study.yaml", "--json", cwd=tmp_path).stdout)
    assert told["unsettled"] == 2
    assert [row["settled"] for row in told["rows"]] == [1, 1, 0, 0]
    table = read(tmp_path / "runs" / "small")
    assert table.unsettled.tolist() == [False, False, True, True]
    with (tmp_path / "runs" / "small" / "table.csv").open() as file:
        assert [row["settled"] for row in csv.DictReader(file)] == ["1", "1", "0", "0"]


def test_ranges_leave_out_what_did_not_settle(tmp_path: Path) -> None:
    rates = {"traffic.rate": {"from": "0.5/s", "to": "4/s", "steps": 36}}
    written(tmp_path, {**mapping(rates), "base": OVERLOADED})
    done = edgesim("sweep", "study.yaml", cwd=tmp_path)
    (line,) = (one for one in done.stdout.splitlines() if "latency_s.mean" in one)
    # Below one request a second every latency is the second of its work.
    assert line.count("1.00 s") == 3
    assert "30 of 36 points did not settle" in done.stdout


def test_a_study_whose_points_all_fail_has_failed(tmp_path: Path) -> None:
    memory = {"peak": {"fp32": "1 GFLOP/s"}, "memory": {"capacity": "1 GB"}}
    base = {**ONE_NODE, "nodes": {"n": {"device": memory}}}
    too_much = mapping({"model.tasks.work.memory": ["2 GB", "3 GB"]})
    written(tmp_path, {**too_much, "base": base})
    done = edgesim("sweep", "study.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "edgesim: all 2 points failed\n"
    assert "1 point (0): " in done.stdout
    assert "1 point (1): " in done.stdout
    assert "Wrote runs/small" in done.stdout
    some = mapping({"model.tasks.work.memory": ["1 MB", "3 GB"]})
    written(tmp_path, {**some, "base": base})
    assert edgesim("sweep", "study.yaml", "--out", "some", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_sys_exit_in_a_plug_in_fails_its_point(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exiting = installed(tmp_path, "edgesim.strategies", "exiting", EXITING)
    monkeypatch.syspath_prepend(str(exiting))
    base = {
        **ONE_NODE,
        "model": {"name": "vit_tiny_patch16_224"},
        "placement": {"strategy": "exiting"},
    }
    table = run_study({**mapping({"seed": [1, 2]}), "base": base}, workers=workers)
    assert table.errors == ("a plug-in called sys.exit(3)",) * 2


EXITING = """
import sys

def exiting(*given, **keys):
    sys.exit(3)
"""


def installed(folder: Path, group: str, name: str, source: str) -> Path:
    """Write a package that adds one thing through an entry point; return its place on the path."""
    folder = folder / "site"
    metadata = folder / "some_plug_in-1.dist-info"
    metadata.mkdir(parents=True)
    (folder / "some_plug_in.py").write_text(source)
    (metadata / "METADATA").write_text("Name: some-plug-in\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = some_plug_in:{name}\n")
    return folder


def test_wrong_numbers_of_workers_are_refused(tmp_path: Path) -> None:
    written(tmp_path, grid(2, 2))
    assert_fails(edgesim("sweep", "study.yaml", "--workers", "0", cwd=tmp_path), 2, ["--workers"])
    with pytest.raises(InputError, match="at least 1 worker"):
        run_study(grid(2, 2), workers=0)

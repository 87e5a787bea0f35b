"""Sweeps over ranks of MPI: the same bytes as alone; what goes wrong is told."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import yaml

from edgesim.sweep.run import run_study
from tests import needs
from tests.edgesim.command import (
    COMMAND,
    assert_fails,
    document,
    edgesim,
    edgesim_process,
    environment,
    started,
)
from tests.edgesim.sweep.studies import grid
from tests.edgesim.sweep.test_sweep import SLOW, children, rows, slow, wait_for, written


def over_ranks(count: int, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [needs.MPI.require(), "-n", str(count), *COMMAND, "sweep", "study.yaml", "--out", "out",
         *arguments],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_two_ranks_give_the_same_bytes_as_one_process(tmp_path: Path) -> None:
    written(tmp_path, grid(5, 4))
    done = over_ranks(2, tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    told = document(done.stdout)
    assert (told["points"], told["simulated"], told["failed"]) == (20, 20, 0)
    run_study(grid(5, 4), tmp_path / "alone")
    one, two = ((tmp_path / name / "table.csv").read_bytes() for name in ("out", "alone"))
    assert one == two


def test_what_is_wrong_is_told_once_for_all_ranks(tmp_path: Path) -> None:
    written(tmp_path, {**grid(2, 2), "keep": ["latency"]})
    done = over_ranks(2, tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("no result is named 'latency'") == 1
    written(tmp_path, grid(2, 2))
    done = over_ranks(2, tmp_path, "--workers", "2")
    assert done.returncode == 2
    assert done.stderr.count("--workers is for one machine without MPI") == 1


def test_a_rank_that_dies_ends_the_sweep_which_goes_on_later(tmp_path: Path) -> None:
    written(tmp_path, slow())
    command = [needs.MPI.require(), "-n", "2", *COMMAND, "sweep", "study.yaml", "--out", "out"]
    with started(command, tmp_path) as process:
        wait_for(lambda: rows(tmp_path) > 0 or process.poll() is not None)
        (proxy,) = children(process.pid)
        os.kill(children(proxy)[-1], signal.SIGKILL)
        _, told = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "a rank ended" in told
        assert "the finished points are in out, the same command goes on" in told
    time.sleep(0.1)
    found = rows(tmp_path)
    assert 0 < found < SLOW
    again = document(edgesim("sweep", "study.yaml", "--out", "out", "--json", cwd=tmp_path).stdout)
    assert (again["found"], again["simulated"]) == (found, SLOW - found)


def test_without_mpi4py_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(grid(2, 2)))
    (tmp_path / "without" / "mpi4py").mkdir(parents=True)
    (tmp_path / "without" / "mpi4py" / "__init__.py").write_text("raise ImportError('no MPI')\n")
    path = f"{tmp_path / 'without'}{os.pathsep}{environment()['PYTHONPATH']}"
    asked = {"PMI_RANK": "0", "PMI_SIZE": "2", "PYTHONPATH": path}
    done = edgesim_process("sweep", "study.yaml", cwd=tmp_path, **asked)
    assert_fails(done, 2, ["MPI needs mpi4py and an MPI library", "pip install 'edgesim[mpi]'"])
    other = edgesim_process("sweep", "study.yaml", cwd=tmp_path, **{**asked, "PMI_RANK": "1"})
    assert (other.returncode, other.stdout, other.stderr) == (2, "", "")

"""The result folder: its files, its bytes, and that it is written whole or not at all."""

from __future__ import annotations

import csv
import fcntl
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from edgesim.common.errors import EdgesimError, InputError
from edgesim.report import folder
from edgesim.results.folder import FILES, prepare
from edgesim.results.result import Result
from tests.edgesim.cases import play, scenario
from tests.edgesim.disk import small_disk


@pytest.fixture(scope="module")
def result() -> Result:
    return play()


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_all_files_are_there_and_nothing_else(result: Result, tmp_path: Path) -> None:
    out = folder.write(result, tmp_path / "runs" / "small")
    assert names(out) == sorted(FILES)
    assert names(tmp_path / "runs") == ["small"]
    assert json.loads((out / "summary.json").read_text()) == result.summary
    assert yaml.safe_load((out / "scenario.yaml").read_text()) == {"name": "small", "seed": 5}


def test_requests_hold_every_digit(result: Result, tmp_path: Path) -> None:
    out = folder.write(result, tmp_path / "out")
    rows = table(out / "requests.csv")
    recording = result.recordings[0]
    assert [float(row["latency_s"]) for row in rows] == recording.latency_s.tolist()
    assert [float(row["arrival_s"]) for row in rows] == recording.arrival_s.tolist()
    assert {row["outcome"] for row in rows} == {"completed"}


def test_tasks_follow_each_request(result: Result, tmp_path: Path) -> None:
    out = folder.write(result, tmp_path / "out")
    rows = table(out / "tasks.csv")
    assert len(rows) == 3 * 200
    first = [row for row in rows if row["request"] == "0"]
    assert [row["kind"] for row in first] == ["transfer", "compute", "transfer"]
    for before, after in itertools.pairwise(first):
        assert float(before["end_s"]) <= float(after["start_s"]) + 1e-12
    # A task draws 10 W for 2 s; a transfer of 4 bytes crosses two links of 0.5 J/B.
    assert float(first[1]["joules"]) == pytest.approx(20.0)
    assert float(first[0]["joules"]) == pytest.approx(4.0)


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        folder.write(play(seed=seed), tmp_path / name)
    read = {
        name: (tmp_path / name / "requests.csv").read_bytes() for name in ("one", "two", "three")
    }
    assert read["one"] == read["two"] != read["three"]
    tasks = [(tmp_path / name / "tasks.csv").read_bytes() for name in ("one", "two")]
    assert tasks[0] == tasks[1]


def test_an_older_result_is_replaced(result: Result, tmp_path: Path) -> None:
    out = folder.write(play(seed=9), tmp_path / "out")
    folder.write(result, out)
    assert json.loads((out / "summary.json").read_text())["seed"] == 5
    assert names(tmp_path) == ["out"]


def test_a_foreign_folder_is_not_touched(result: Result, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="holds files that are no result"):
        folder.write(result, tmp_path)
    assert names(tmp_path) == ["thesis.tex"]


def test_a_result_with_a_foreign_file_is_not_touched(result: Result, tmp_path: Path) -> None:
    out = folder.write(result, tmp_path / "out")
    (out / "notes.txt").write_text("precious")
    with pytest.raises(InputError, match="holds files that are no result"):
        folder.write(result, out)
    assert (out / "notes.txt").read_text() == "precious"


def test_a_file_in_the_way(result: Result, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="is no folder"):
        prepare(tmp_path / "out")
    with pytest.raises(EdgesimError, match="cannot write the result"):
        prepare(tmp_path / "out" / "below")


def test_a_full_disk_leaves_the_old_result_and_no_rest(tmp_path: Path) -> None:
    with small_disk(tmp_path, "400k") as disk:
        small = play(traffic=scenario().traffic.__class__(
            arrivals=scenario().traffic.arrivals, requests=5, rate_per_s=0.4))  # fmt: skip
        out = folder.write(small, disk / "out")
        before = {name: (out / name).read_bytes() for name in names(out)}
        large = play(traffic=scenario().traffic.__class__(
            arrivals=scenario().traffic.arrivals, requests=4000, rate_per_s=0.4))  # fmt: skip
        with pytest.raises(EdgesimError, match="No space left on device"):
            folder.write(large, out)
        assert {name: (out / name).read_bytes() for name in names(out)} == before
        assert names(disk) == ["out"]


def test_a_file_size_limit_leaves_no_rest(tmp_path: Path) -> None:
    # The same without root: a process that may write 20 kB to a file.
    code = f"""
import resource, signal
from pathlib import Path
from edgesim.common.errors import EdgesimError
from edgesim.report import folder
from tests.edgesim.cases import play
result = play()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    folder.write(result, Path({str(tmp_path)!r}) / "out")
except EdgesimError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd(), check=True
    )
    assert "cannot write the result" in done.stdout
    assert "File too large" in done.stdout
    assert names(tmp_path) == []


def test_report_is_the_same_when_made_from_the_folder(result: Result, tmp_path: Path) -> None:
    out = folder.write(result, tmp_path / "out")
    before = (out / "report.html").read_text()
    assert folder.rewrite_report(out).read_text() == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("summary.json", "{", "is no JSON"),
        ("summary.json", "[]", "expected a summary of schema 1"),
        ("summary.json", '{"schema": 1}', "not a whole summary"),
        ("requests.csv", "a,b\n1,2\n", "is damaged"),
        ("requests.csv", "\x00\n", "is damaged"),
        ("tasks.csv", "request,task,node,kind,start_s,end_s,joules,target\nx,,,,,,,\n", "damaged"),
    ],
)
def test_damaged_folders_are_told(
    result: Result, tmp_path: Path, name: str, content: str, message: str
) -> None:
    out = folder.write(result, tmp_path / "out")
    (out / name).write_text(content)
    with pytest.raises(InputError, match=message):
        folder.rewrite_report(out)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no result folder"):
        folder.rewrite_report(tmp_path / "nowhere")


def test_what_killed_runs_left_is_removed_and_what_others_write_is_not(
    result: Result, tmp_path: Path
) -> None:
    old = time.time() - 3600.0
    for name in (".out.left", ".out.held", ".out.young", ".other.left"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requests.csv").write_text("half")
        if name != ".out.young":
            os.utime(tmp_path / name, (old, old))
    held = os.open(tmp_path / ".out.held", os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        folder.write(result, tmp_path / "out")
    finally:
        os.close(held)
    assert names(tmp_path) == [".other.left", ".out.held", ".out.young", "out"]

"""Files of result folders, studies, artifacts and stores that are no plain files: one message."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from edgesim.common import files
from edgesim.common.errors import InputError
from edgesim.report import folder
from edgesim.results import tables_csv
from edgesim.results.folder import prepare
from edgesim.sweep import sqlite_rows, store
from edgesim.sweep.run import run_study
from tests.abuse.fuzz import bounded
from tests.edgesim.cases import play
from tests.edgesim.command import FIVE_PIS, ROOT, edgesim
from tests.edgesim.sweep.studies import grid

RECIPE = str(ROOT / "examples" / "digits-partition.yaml")


def put_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def put_link_elsewhere(path: Path) -> None:
    outside = path.parent.parent / f"outside-{path.name}"
    shutil.copy(path.parent.parent / "good" / path.name, outside)
    path.symlink_to(outside)


def put_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(30_000_000_000)


def put_loop(path: Path) -> None:
    path.symlink_to(path.name)


PUT: dict[str, tuple[Callable[[Path], None], str]] = {
    "device": (put_zero, "is no regular file"),
    "pipe": (os.mkfifo, "is no regular file"),
    "folder": (Path.mkdir, "is no regular file"),
    "elsewhere": (put_link_elsewhere, "is a link to another folder; copy the file itself"),
    "huge": (put_huge, r"expected at most [\d,]+ bytes, got 30,000,000,000"),
    "loop": (put_loop, "Too many levels of symbolic links|is no result folder"),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with a result and with a study."""
    path = tmp_path_factory.mktemp("places")
    folder.write(play(), path / "result" / "good")
    run_study(grid(2, 2), path / "study" / "good")
    for name in ("result", "study"):
        folder.rewrite_report(path / name / "good")
    return path


@pytest.mark.parametrize("put", PUT)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("result", "summary.json"),
        ("result", "requests.csv"),
        ("result", "tasks.csv"),
        ("result", "plan.json"),
        ("result", "scenario.yaml"),
        ("study", "study.json"),
        ("study", "points.sqlite"),
    ],
)
def test_a_page_is_made_of_plain_files_of_the_folder(
    places: Path, kind: str, name: str, put: str
) -> None:
    directory = places / kind / f"{name}-{put}"
    shutil.copytree(places / kind / "good", directory)
    (directory / name).unlink()
    make, message = PUT[put]
    make(directory / name)
    page = (directory / "report.html").read_bytes()
    with bounded(10.0), pytest.raises(InputError, match=message):
        folder.rewrite_report(directory)
    assert (directory / "report.html").read_bytes() == page


def test_a_link_within_the_folder_is_followed(places: Path) -> None:
    directory = places / "result" / "linked"
    shutil.copytree(places / "result" / "good", directory)
    (directory / "requests.csv").rename(directory / "moved.csv")
    (directory / "requests.csv").symlink_to("moved.csv")
    assert folder.rewrite_report(directory) == directory / "report.html"


def test_a_load_is_within_its_comparison(tmp_path: Path, places: Path) -> None:
    inside = tmp_path / "comparison"
    inside.mkdir()
    (inside / "load").symlink_to(places / "result")
    with pytest.raises(InputError, match="is a link to another folder"):
        next(tables_csv.RequestsFile(inside / "load" / "good" / "requests.csv", inside).pieces())
    found = tables_csv.RequestsFile(places / "result" / "good" / "requests.csv")
    assert sum(len(piece.index) for piece in found.pieces()) == 200


def _of_quotes(file: BinaryIO) -> None:
    """Lines that quotes join to one row without end."""
    file.write(b'"' + b'\n","' * 10_000_000)


def _of_commas(file: BinaryIO) -> None:
    """A line without end."""
    file.write(b"," * 50_000_000)


def _of_bytes(file: BinaryIO) -> None:
    """Bytes that are no text."""
    file.write(b"\xff\n" * 1_000_000)


def _of_other_rows(file: BinaryIO) -> None:
    """Rows of a few cells."""
    file.write(b"1,2\n" * 10_000_000)


@pytest.mark.parametrize("name", ["requests.csv", "tasks.csv"])
@pytest.mark.parametrize("write", [_of_quotes, _of_commas, _of_bytes, _of_other_rows])
def test_a_table_of_one_row_or_line_without_end_is_refused_at_its_begin(
    places: Path, name: str, write: Callable[[BinaryIO], None]
) -> None:
    directory = places / "result" / f"{name}{write.__name__}"
    shutil.copytree(places / "result" / "good", directory)
    with (directory / name).open("ab") as file:
        write(file)
    tracemalloc.start()
    try:
        with bounded(20.0), pytest.raises(InputError, match="is damaged"):
            folder.rewrite_report(directory)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_a_descriptor_is_closed_when_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(20):
        with pytest.raises(InputError, match="is no regular file"):
            files.open_inside(tmp_path / "pipe")
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_rows_without_end_are_refused(places: Path) -> None:
    directory = places / "study" / "endless"
    shutil.copytree(places / "study" / "good", directory)
    with sqlite3.connect(directory / "points.sqlite") as file:
        names = [row[1] for row in file.execute("PRAGMA table_info(points)")]
        columns = ", ".join(f'0 AS "{name}"' for name in names[1:])
        file.execute("DROP TABLE points")
        file.execute(
            f"CREATE VIEW points AS WITH RECURSIVE n(point) AS "
            f"(SELECT 0 UNION ALL SELECT point + 1 FROM n) SELECT point, {columns} FROM n"
        )
    with bounded(10.0), pytest.raises(InputError, match="'points' is a view"):
        store.read(directory)


def test_more_rows_than_memory_is_for_are_refused(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = store.read_meta(places / "study" / "good")
    cells = 4 * (len(meta.columns) + 2)
    monkeypatch.setattr(sqlite_rows, "_MOST_CELLS", cells)
    assert len(store.read(places / "study" / "good")) == 4
    monkeypatch.setattr(sqlite_rows, "_MOST_CELLS", cells - 1)
    with pytest.raises(InputError, match=r"expected at most 3 rows .*; table\.csv has them too"):
        store.read(places / "study" / "good")


def test_a_sweep_writes_through_no_link(places: Path, tmp_path: Path) -> None:
    directory = tmp_path / "study"
    shutil.copytree(places / "study" / "good", directory)
    (directory / "points.sqlite").rename(tmp_path / "mine.sqlite")
    (directory / "points.sqlite").symlink_to(tmp_path / "mine.sqlite")
    before = (tmp_path / "mine.sqlite").read_bytes()
    with pytest.raises(InputError, match="is a link to another folder"):
        run_study(grid(2, 2), directory)
    assert (tmp_path / "mine.sqlite").read_bytes() == before


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path / "loop"


@pytest.mark.parametrize(
    "arguments",
    [
        (
            *("check", str(FIVE_PIS), "--set", "model.name=", "--set", "model.classes="),
            *("--set", "model.artifact={loop}"),
        ),
        ("run", str(FIVE_PIS), "--out", "{loop}"),
        ("run", str(FIVE_PIS), "--out", "{loop}/in"),
        ("report", "{loop}"),
        ("partition", RECIPE, "--out", "{loop}"),
        ("partition", RECIPE, "--out", "{loop}/in"),
        ("partition", RECIPE, "--out", "x", "--work", "{loop}"),
    ],
)
def test_a_loop_of_links_is_one_message_before_the_work(
    loop: Path, arguments: tuple[str, ...]
) -> None:
    with bounded(60.0):
        done = edgesim(*(one.format(loop=loop) for one in arguments), cwd=loop.parent)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("edgesim: ")
    assert "loop" in line
    assert os.listdir(loop.parent) == ["loop"]


def test_an_output_is_tried_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    with bounded(60.0):
        done = edgesim("partition", RECIPE, "--out", "link", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2, "edgesim: --out: link is a link; name the folder itself\n",
    )  # fmt: skip
    with bounded(60.0):
        done = edgesim("partition", RECIPE, "--out", "/proc/nothing/out", cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.startswith("edgesim: --out: cannot write to /proc/nothing/out: ")
    assert sorted(os.listdir(tmp_path)) == ["link", "there"]


def test_a_result_below_a_loop_is_refused_before_the_run(loop: Path) -> None:
    with pytest.raises(InputError, match="cannot write the result"):
        prepare(loop / "in")


@pytest.mark.parametrize("content", ["[" * 100_000, None, "pipe", "device", " " * 2_000_000])
def test_what_a_node_served_last_is_read_or_damaged(tmp_path: Path, content: str | None) -> None:
    pytest.importorskip("grpc")
    from edgesim.serve.refusal import RefusalError
    from edgesim.serve.store import Store

    path = tmp_path / "active.json"
    if content == "pipe":
        os.mkfifo(path)
    elif content == "device":
        path.symlink_to("/dev/zero")
    elif content is not None:
        path.write_text(content)
    with bounded(10.0):
        if content is None:
            assert Store(tmp_path).active() is None
        else:
            with pytest.raises(RefusalError, match=r"active\.json is damaged .*; deploy again"):
                Store(tmp_path).active()

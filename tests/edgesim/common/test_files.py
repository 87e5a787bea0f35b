"""Files and folders that are whole or as they were, and locks that end with their process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgesim.common.errors import EdgesimError
from edgesim.common.files import whole_file, write_bytes, write_text
from edgesim.common.folders import whole_folder
from edgesim.common.lock import Lock, LockedError


def test_a_file_is_replaced_at_the_end_and_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_text(path, "old\n")
    with whole_file(path) as file:
        file.write("new\r\n")
        assert path.read_bytes() == b"old\n"
    assert path.read_bytes() == b"new\r\n"
    write_bytes(path, b"\xff\x00")
    assert path.read_bytes() == b"\xff\x00"
    assert list(path.parent.iterdir()) == [path]


def test_after_an_error_the_old_file_stays_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write(f"{1 / 0}")
    with pytest.raises(EdgesimError, match=r"^cannot write .*/file/below: File exists$"):
        write_text(path / "below", "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_link_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    (tmp_path / "far").write_text("far")
    (tmp_path / "link").symlink_to("far")
    write_text(tmp_path / "link", "near")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "far").read_text() == "far"


def test_a_folder_is_replaced_at_the_end_or_stays(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for text in ("first", "second"):
        with whole_folder(folder) as building:
            (building / text).write_text(text)
    assert [path.name for path in folder.iterdir()] == ["second"]
    assert folder.stat().st_mode & 0o777 == 0o755
    with pytest.raises(ZeroDivisionError), whole_folder(folder) as building:
        (building / "third").write_text(f"{1 / 0}")

    def refuse(taken: Path) -> None:
        raise FileExistsError(taken)

    with pytest.raises(FileExistsError), whole_folder(folder, check=refuse):
        pass
    assert [path.name for path in folder.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_lock_is_for_one_and_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    take = (
        "import sys, pathlib; from edgesim.common.lock import Lock; Lock(pathlib.Path(sys.argv[1]))"
    )
    program = [sys.executable, "-c", f"{take}; print(flush=True); sys.stdin.read()", str(path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(LockedError, match=f"process {other.pid} on") as caught:
            Lock(path)
        assert caught.value.holder.startswith(f" (process {other.pid} on ")
        other.kill()
    lock = Lock(path)
    assert lock.last_holder.startswith(f"process {other.pid} on ")
    lock.remove()
    lock.release()
    assert not path.exists()

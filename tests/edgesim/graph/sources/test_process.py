"""The process that traces: what the code in it prints, takes, reads, connects to and ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import file
from edgesim.graph.sources import cache, process

FILE = Path(__file__).with_name("user_model.py")
START = "import os, socket, sys, time\nfrom torch import nn\n"


def job(path: Path = FILE, name: str = "build") -> dict[str, Any]:
    return {
        "kind": "torch", "place": str(path), "callable": name, "folder": str(path.parent),
        "arguments": {}, "input": [3, 8, 8],
    }  # fmt: skip


def written(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "net.py"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    path.write_text(f"{START}def build():\n{lines}    return nn.Sequential(nn.Conv2d(3, 4, 3))\n")
    return path


def refused(tmp_path: Path, body: str, limit_s: float = 300.0) -> str:
    with pytest.raises(InputError) as caught:
        process.ask(job(written(tmp_path, body)), limit_s=limit_s)
    return str(caught.value)


def test_what_code_prints_and_reads_is_not_the_answer(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Prints go nowhere, an input is at its end, files that are read are known by their content."""
    (tmp_path / "settings.txt").write_text("4")
    (tmp_path / "helper.py").write_text("WIDTH = 4\n")
    path = written(
        tmp_path,
        "print('{\"graph\": 3}')\nos.write(1, b'{}\\n')\nprint('x', file=sys.stderr)\n"
        "assert sys.stdin.read() == ''\nimport helper\nopen(__file__[:-6] + 'settings.txt').read()",
    )
    answer = process.ask(job(path), limit_s=300.0)
    content = file.from_text(answer["graph"], "it")
    assert [op.name for op in content["ops"]] == ["0"]
    known = {Path(name).name for name in answer["files"]}
    assert {"net.py", "helper.py", "settings.txt"} <= known
    assert answer["files"][str(path)] == cache.digest(str(path))
    printed, errors = capfd.readouterr()
    assert printed == ""
    # On a slow machine there is a line of progress, and nothing else.
    assert all(line.startswith("tracing torch:") for line in errors.splitlines())


def test_code_that_ends_its_process(tmp_path: Path) -> None:
    message = refused(tmp_path, "print('good bye', flush=True)\nos._exit(7)")
    assert message.startswith(f"torch:{tmp_path}/net.py:build: the code ended its process: ")
    assert "with status 7" in message
    assert message.endswith("it printed last:\n  good bye")


def test_code_that_wants_the_network(tmp_path: Path) -> None:
    message = refused(tmp_path, "socket.create_connection(('example.org', 443))")
    assert "the code wants to connect to example.org; only shapes are needed" in message
    message = refused(
        tmp_path,
        "try:\n    socket.socket().connect(('192.0.2.1', 9))\n"
        "except Exception as error:\n    raise OSError('no') from error",
    )
    assert "the code wants to connect to 192.0.2.1; only shapes are needed" in message


def test_code_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    body = (
        "import subprocess\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        f"open({str(mark)!r}, 'w').write(str(child.pid))\ntime.sleep(1000)"
    )
    path = written(tmp_path, body)
    with pytest.raises(InputError, match="s; does it download or compute something"):
        process.ask(job(path), limit_s=30.0)
    assert not _lives(int(mark.read_text()))


def test_it_ends_with_the_process_that_asks(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    path = written(tmp_path, f"open({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(1000)")
    code = f"from edgesim.graph.sources import process; process.ask({job(path)!r}, limit_s=900)"
    asking = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline_s = time.monotonic() + 300
        while not (mark.exists() and mark.read_text()):
            assert time.monotonic() < deadline_s
            assert asking.poll() is None
            time.sleep(0.05)
    finally:
        asking.kill()
        asking.wait()
    worker = int(mark.read_text())
    while _lives(worker):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_the_cache_knows_what_a_trace_depends_on(tmp_path: Path) -> None:
    """Of files and packages that the code used, and JSON alone; what is damaged is not there."""
    settings = tmp_path / "settings.txt"
    settings.write_text("4")
    graph = {"graph": "{}", "files": {str(settings): cache.digest(str(settings))}}
    answer = {**graph, "versions": {"pytest": cache.version("pytest")}}
    folder = tmp_path / "cache"
    assert cache.get(folder, "key") is None
    cache.put(folder, "key", answer)
    found = cache.get(folder, "key")
    assert found is not None
    assert found | answer == found
    assert cache.is_current(found)
    assert oct((folder / "traces").stat().st_mode & 0o777) == "0o700"
    settings.write_text("5")
    assert not cache.is_current(found)
    settings.unlink()
    assert not cache.is_current(found)
    assert not cache.is_current({"files": {}, "versions": {"pytest": "0.1"}})
    assert not cache.is_current({"files": {}, "versions": {"no-such-package": "0.1"}})
    (path,) = (folder / "traces").iterdir()
    for text in ("", "[]", "{", json.dumps({"schema": 2, **answer}), json.dumps({"schema": 1})):
        path.write_text(text)
        assert cache.get(folder, "key") is None


def test_the_cache_is_bounded_and_may_be_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST_FILES", 3)
    for number in range(5):
        cache.put(tmp_path, f"key{number}", {"graph": "", "files": {}, "versions": {}})
        os.utime(tmp_path / "traces" / f"key{number}.json", (number, number))
    names = sorted(path.name for path in (tmp_path / "traces").iterdir())
    assert names == ["key2.json", "key3.json", "key4.json"]
    (tmp_path / "file").touch()
    cache.put(tmp_path / "file", "key", {"graph": ""})
    cache.put(None, "key", {"graph": ""})
    assert cache.get(None, "key") is None


@pytest.mark.parametrize(
    ("variables", "named", "expected"),
    [
        ({"HOME": "/home/me"}, None, "/home/me/.cache/edgesim"),
        ({"XDG_CACHE_HOME": "/var/mine"}, None, "/var/mine/edgesim"),
        ({"EDGESIM_CACHE": "/tmp/c", "XDG_CACHE_HOME": "/var/mine"}, None, "/tmp/c"),
        ({"EDGESIM_CACHE": "off"}, None, None),
        ({"EDGESIM_CACHE": ""}, None, None),
        ({"EDGESIM_CACHE": "off"}, "/tmp/d", "/tmp/d"),
        ({"EDGESIM_CACHE": "/tmp/c"}, "off", None),
    ],
)
def test_where_the_cache_is(
    variables: dict[str, str], named: str | None, expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("EDGESIM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.folder_of(named) == (None if expected is None else Path(expected))

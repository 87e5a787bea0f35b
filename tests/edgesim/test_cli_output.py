"""Where output goes: one JSON document, pipes that close, disks that fill, folders in the way."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.main import get_command

from edgesim.cli import app
from edgesim.results.folder import FILES
from tests.edgesim.command import (
    COMMAND,
    FIVE_PIS,
    assert_fails,
    document,
    edgesim,
    edgesim_process,
    environment,
)
from tests.edgesim.disk import small_disk

SMALL = ["run", str(FIVE_PIS), "--set", "traffic.requests=20", "--set", "baselines=[]"]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("result") / "out"
    assert edgesim(*SMALL, "--out", path).returncode == 0
    return path


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["check", str(FIVE_PIS)], "bottleneck"),
        (["models"], "models"),
        (["models", "vit_tiny_patch16_224"], "operators"),
        (["devices"], "devices"),
        (["devices", "raspberry-pi-5"], "figures"),
        (["schema"], "$schema"),
        (["init", "new"], "file"),
    ],
)
def test_json_is_one_document(arguments: list[str], key: str, tmp_path: Path) -> None:
    done = edgesim(*arguments, "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert key in document(done.stdout)


def test_json_of_a_run_is_the_summary(tmp_path: Path) -> None:
    done = edgesim(*SMALL, "--json", "--out", "deep/er/out", cwd=tmp_path)
    assert done.returncode == 0
    out = tmp_path / "deep" / "er" / "out"
    assert document(done.stdout) == json.loads((out / "summary.json").read_text())
    assert done.stderr == "Wrote deep/er/out\n"
    assert names(out) == sorted(FILES)
    done = edgesim("report", out, "--json")
    assert document(done.stdout) == {"file": str(out / "report.html")}


def test_json_of_a_failed_write_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = edgesim(*SMALL, "--json", "--out", "file/out", cwd=tmp_path)
    assert done.returncode == 2
    assert "file is no folder" in document(done.stdout)["error"]["message"]


# Neither loads what takes long; that of `run` is the whole road from file to folder. networkx is
# for routes that are searched: a switch has none.
HEAVY = {"torch", "scipy", "pandas", "grpc", "sklearn", "matplotlib", "networkx"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([name, "--help"] for name in ("run", "sweep", "node", "deploy", "profile")),
        SMALL,
        ["check", *SMALL[1:]],
    ],
)
def test_heavy_modules_are_not_imported(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import atexit, sys\n"
        "loaded = lambda: [name for name, module in sys.modules.items() if module]\n"
        "atexit.register(lambda: sys.stderr.write(' '.join(loaded())))\n"
        "from edgesim.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stderr.split())
    assert "edgesim.cli" in loaded
    assert not HEAVY & loaded
    if "--help" in arguments:
        assert not {"numpy", "yaml", "simpy"} & loaded
    if "run" not in arguments or "--help" in arguments:
        assert "jinja2" not in loaded  # it makes pages


@pytest.mark.parametrize("arguments", [["schema"], ["--help"], SMALL])
def test_a_reader_that_goes_away_is_no_error(arguments: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, *arguments],
        stdout=writing, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment(),
        check=False,
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""
    if arguments is SMALL:
        assert names(tmp_path / "runs" / "five-pis") == sorted(FILES)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["schema"], ["--help"], SMALL])
def test_output_on_a_full_disk_is_told(arguments: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment(),
            check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "edgesim: cannot print: No space left on device\n"


def test_closed_streams(tmp_path: Path) -> None:
    def status(text: str) -> int:
        shell = ["sh", "-c", f'exec "$@" {text}', "sh", *COMMAND]
        return subprocess.run(
            [*shell, "devices", "raspberry-pi-9"], cwd=tmp_path, env=environment(), check=False,
            stderr=subprocess.DEVNULL,
        ).returncode  # fmt: skip

    assert [status(text) for text in (">&-", "2>&-", ">&- 2>&-", "2>/dev/full")] == [2, 2, 2, 2]


def test_letters_that_an_encoding_lacks_are_replaced() -> None:
    done = subprocess.run(
        [*COMMAND, "check", str(FIVE_PIS)],
        env=environment(PYTHONIOENCODING="ascii"), capture_output=True, check=True,
    )  # fmt: skip
    assert b" ?s" in done.stdout


@pytest.mark.parametrize(
    ("out", "status", "told"),
    [
        ("file", 2, "file is no folder; name another with --out"),
        ("file/out", 2, "cannot write the result to file/out: file is no folder"),
        ("foreign", 2, "foreign holds files that are no result; name another folder with --out"),
        ("link", 2, "link is no folder; name another with --out"),
        (".", 2, ". cannot be replaced; name a folder in it with --out"),
        ("x" * 300, 2, "File name too long"),
    ],
)
def test_folders_in_the_way(out: str, status: int, told: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("mine")
    (tmp_path / "link").symlink_to("foreign")
    assert_fails(edgesim(*SMALL, "--out", out, cwd=tmp_path), status, [told])
    assert names(tmp_path) == ["file", "foreign", "link"]
    assert (tmp_path / "file").read_text() == (tmp_path / "foreign/thesis.tex").read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    told = f"cannot write the result to {tmp_path}/out: Permission denied"
    assert_fails(edgesim(*SMALL, "--out", tmp_path / "out"), 1, [told])


def test_a_result_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path, "64k") as disk:
        done = edgesim(*SMALL, "--out", disk / "out")
        assert done.returncode == 1
        told = f"edgesim: cannot write the result to {disk}/out: No space left on device\n"
        assert done.stderr == told
        # What was computed is shown all the same.
        assert "20 of 20 requests answered" in done.stdout
        assert names(disk) == []
        assert_fails(edgesim(*SMALL, "--out", disk), 2, ["cannot be replaced"])
        done = edgesim("init", disk)
        assert done.returncode == 0
        (disk / "rest").write_bytes(bytes(60_000))
        assert_fails(edgesim("init", disk / "more"), 1, ["No space left on device"])


def test_an_older_result_is_replaced(result: Path) -> None:
    assert edgesim(*SMALL, "--out", result, "--seed", "8").returncode == 0
    assert json.loads((result / "summary.json").read_text())["seed"] == 8
    assert names(result.parent) == ["out"]


def test_runs_that_end_at_once_leave_one_whole_result(tmp_path: Path) -> None:
    def play(seed: int) -> int:
        return edgesim_process(*SMALL, "--out", tmp_path / "out", "--seed", str(seed)).returncode

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(play, range(5))) == [0] * 5
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == sorted(FILES)
    # All files are of one and the same run.
    seed = json.loads((tmp_path / "out" / "summary.json").read_text())["seed"]
    assert f"seed: {seed}\n" in (tmp_path / "out" / "scenario.yaml").read_text()
    assert f"seed {seed}," in (tmp_path / "out" / "report.html").read_text()
    again = tmp_path / "again"
    assert edgesim(*SMALL, "--out", again, "--seed", str(seed)).returncode == 0
    assert (again / "requests.csv").read_bytes() == (tmp_path / "out/requests.csv").read_bytes()


def test_check_says_that_it_takes_studies() -> None:
    assert "Scenario or study file (YAML)." in edgesim("check", "--help").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["run", "-h"]])
def test_a_flag_shows_no_type(arguments: list[str]) -> None:
    assert "<bool>" not in edgesim(*arguments).stdout


def test_the_help_of_every_option_names_its_value_and_what_it_sets() -> None:
    count = 0
    for name, command in get_command(app).commands.items():
        # Scenarios and studies are run or simulated.
        helps = [one.help or "" for one in (command, *command.params)]
        assert not re.search(r"(?i)\bplay", " ".join(helps)), name
        for one in command.params:
            told = (name, one.name, one.help)
            assert one.help, told
            # A sentence that begins with a noun or a verb: "Address of the inference service".
            assert re.match(r"(--|[A-Z])", one.help), told
            assert one.help.endswith("."), told
            first = one.help.split()[0]
            assert first not in ("Of", "For", "In", "To", "That", "How", "What", "Where"), told
            assert len(one.help.split()) >= 3, told
            if not getattr(one, "is_flag", False):
                assert one.metavar, told
            count += 1
    assert count > 60

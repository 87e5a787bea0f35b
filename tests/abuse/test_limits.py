"""Too much of everything, through the command line: refused with a message, in bounded memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path
from types import FrameType

import pytest

from partition.manifest import manifest_hash
from tests.edgesim.command import COMMAND, ROOT, edgesim, environment
from tests.edgesim.scenario.cases import BASE, changed

MEMORY_BYTES = 2 << 30
"""Of addresses, beside those of the libraries."""
LONGEST_S = 60
"""On a machine that other tests keep busy; each takes a second or two on an idle one."""


def _limit() -> None:
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, most))


def _late(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"it takes longer than {LONGEST_S} s")


def limited(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in little memory and time."""
    before = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGALRM, _late)
    signal.alarm(LONGEST_S)
    _limit()
    try:
        return edgesim(*arguments, cwd=folder)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before[1])
        resource.setrlimit(resource.RLIMIT_AS, before[0])


def bomb() -> str:
    """Return a text whose aliases stand for 10 to the 9 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        names = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{names}]")
    return "\n".join(lines) + "\n" + BASE


TOO_MUCH = [
    ("aliases", bomb(), "does an alias multiply?"),
    ("brackets", "model: " + "[" * 10_000, "nested too deeply"),
    ("mappings", "{a: " * 10_000, "nested too deeply"),
    ("long file", BASE + "# " + "x" * 10_100_000, "a scenario of at most 10,000,000 bytes"),
    ("long word", changed("small", "x" * 1_000_000), "c.yaml:1:7: name:"),
    ("keys twice", BASE + "name: other\n", "name"),
    ("requests", changed("requests: 10", "requests: 1000000000"), "at most 100,000,000"),
    ("nodes", changed("count: 2", "count: 1000000"), "expected at most 100,000"),
    ("more nodes", changed("count: 2}", "count: 99999}\n  po: {device: raspberry-pi-5, count: 99}"),
     "expected at most 100,000 nodes, got 100,099"),
    ("samples", changed("requests: 10", "requests: 10, samples: 100000000"), "at most 1,000,000"),
    ("replications", "replications: 1000000\n" + BASE, "at most 10,000"),
    ("time", changed("0.5/s", "1e-300/s"), "seconds; expected at most 1e+12"),
    ("no number", changed("0.5/s", ".nan"), "traffic.rate: expected a finite quantity"),
    ("large number", changed("0.25 ms", "1e400"), "network.switch.latency"),
    ("escape", changed("hub:", '"h\\eb":'), "expected a name"),
    ("direction", changed("hub:", '"hu\u202eb":'), "hu\\u202eb"),
    ("path", changed("small", "../../x"), "name"),
    ("zeros", changed("poisson, rate: 0.5/s, requests: 10", "trace, file: /dev/zero"),
     "/dev/zero is no regular file"),
    ("pipe", changed("poisson, rate: 0.5/s, requests: 10", "trace, file: pipe"),
     "pipe is no regular file"),
    ("folder", changed("poisson, rate: 0.5/s, requests: 10", "trace, file: ."), "is a folder"),
    ("device", changed("device: raspberry-pi-5", "device: ./pipe"), "pipe is no regular file"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), [one[1:] for one in TOO_MUCH],
                         ids=[one[0] for one in TOO_MUCH])  # fmt: skip
def test_too_much_is_refused(text: str, told: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "c.yaml").write_text(text)
    done = limited("check", "c.yaml", folder=tmp_path)
    assert done.returncode == 2, done.stderr[:500]
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 5_000
    assert not any(letter in done.stderr for letter in "\x1b\x07\x00\u202e\u2028")


def test_a_study_of_too_many_points_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    axes = "".join(
        f"  {key}: {{from: 1{unit}, to: 9{unit}, steps: 10000}}\n"
        for key, unit in (
            ("traffic.rate", "/s"),
            ("network.switch.bandwidth", " Gbit/s"),
            ("network.switch.latency", " ms"),
        )
    )
    (tmp_path / "study.yaml").write_text(f"base: base.yaml\naxes:\n{axes}")
    done = limited("sweep", "study.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert "1,000,000,000,000 points" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_its_machine_has_no_memory_for_says_so(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(changed("requests: 10", "requests: 100000000"))
    done = subprocess.run(
        [*COMMAND, "run", "c.yaml"], cwd=tmp_path, env=environment(), text=True,
        capture_output=True, timeout=LONGEST_S, preexec_fn=_limit, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert "memory" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return shutil.copytree(ROOT / "examples" / "fashion-2", tmp_path / "artifact")


def loaded(artifact: Path) -> subprocess.CompletedProcess[str]:
    text = changed("name: vit_tiny_patch16_224, classes: 10", f"artifact: {artifact}")
    file = artifact.parent / "c.yaml"
    file.write_text(text.replace("strategy: single", "strategy: class-wise, fusion: hub"))
    return limited("check", file, folder=artifact.parent)


def rename(artifact: Path, name: str) -> None:
    """Let the manifest call its first part's file something else, and be right otherwise."""
    path = artifact / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = manifest["files"].pop("part-0.safetensors")
    manifest["parts"][0]["file"] = name
    manifest["sha256"] = manifest_hash(manifest)
    path.write_text(json.dumps(manifest))


def test_an_artifact_that_is_whole_is_taken(artifact: Path) -> None:
    assert loaded(artifact).returncode == 0


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/b", "..", ".hidden", "a\0b", ""])
def test_names_that_lead_elsewhere_are_refused(artifact: Path, name: str) -> None:
    (artifact.parent / "outside").write_bytes((artifact / "part-0.safetensors").read_bytes())
    rename(artifact, name)
    done = loaded(artifact)
    assert done.returncode == 2
    assert "expected names of files in its own folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_links_that_lead_elsewhere_are_refused(artifact: Path) -> None:
    outside = artifact.parent / "outside"
    (artifact / "part-0.safetensors").rename(outside)
    (artifact / "part-0.safetensors").symlink_to(outside)
    done = loaded(artifact)
    assert done.returncode == 2
    assert "is a link to another folder" in done.stderr


def test_a_manifest_that_is_no_file_or_too_large_is_refused(artifact: Path) -> None:
    path = artifact / "manifest.json"
    whole = path.read_bytes()
    path.write_bytes(whole + b" " * (5 << 20))
    assert "expected at most 4,194,304 bytes" in loaded(artifact).stderr
    path.unlink()
    os.mkfifo(path)
    done = loaded(artifact)
    assert done.returncode == 2
    assert "it is no regular file" in done.stderr
    path.unlink()
    path.write_text("[" * 100_000)
    done = loaded(artifact)
    assert done.returncode == 2
    assert "is damaged" in done.stderr

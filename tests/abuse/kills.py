"""Ends commands at random moments and tells what they left.

``python -m tests.abuse.kills --kills 40`` prints a table: each of SIGINT, SIGTERM and SIGKILL so
many times to each command, at moments drawn over its whole life. After every one the result is
whole or absent, no message is a traceback, and the same command then ends well with the same result
as if nothing had been.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edgesim.results.folder import FILES
from partition.manifest import read_manifest, verify_files
from tests.edgesim.command import COMMAND, ROOT, edgesim, edgesim_process, environment
from tests.edgesim.serve.cluster import fresh_keys, node

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
PATIENCE_S = 120.0
RECIPE: dict[str, Any] = {
    "name": "small",
    "seed": 3,
    "data": {"limit": 8, "test": 0.05, "validation": 0.1},
    "model": {"width": 16, "depth": 2, "heads": 4, "head_width": 4, "mlp_width": 16},
    "training": {"epochs": 2, "batch": 32, "learning_rate": 0.005},
    "split": {"parts": 2},
    "pruning": {"heads": 2, "images": 8, "tuning": {"epochs": 1, "batch": 32}},
    "fusion": {"hidden": [16], "training": {"epochs": 2, "batch": 32, "learning_rate": 0.005}},
}


@dataclass(frozen=True)
class Subject:
    """A command that is ended.

    Attributes:
        command: its arguments, in a folder.
        left: what an ended one left there: ``whole``, ``absent``, or ``begun``, which the next
            goes on from.
        result: what the command is for, once it ended well; the same whatever came before.
    """

    command: Callable[[Path], list[str | Path]]
    left: Callable[[Path], str]
    result: Callable[[Path], Any]


def _run_left(folder: Path) -> str:
    out = folder / "out"
    if not out.exists():
        return "absent"
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES), list(out.iterdir())
    json.loads((out / "summary.json").read_text())
    json.loads((out / "trace.json").read_text())
    return "whole"


def _study_left(folder: Path) -> str:
    out = folder / "out"
    if not out.exists():
        return "absent"
    return "whole" if (out / "table.csv").exists() else "begun"


def _artifact_left(folder: Path) -> str:
    out = folder / "out"
    if not (out / "manifest.json").exists():
        return "begun" if list(folder.glob("*out*")) else "absent"
    verify_files(out, read_manifest(out))
    return "whole"


def _artifact_result(folder: Path) -> Any:
    assert _artifact_left(folder) == "whole"
    return {one.name: one.read_bytes() for one in sorted((folder / "out").iterdir())}


def _write(path: Path, document: Any) -> Path:
    path.write_text(yaml.safe_dump(document))
    return path


def _study(folder: Path) -> Path:
    return _write(
        folder / "study.yaml",
        {
            "base": str(ROOT / "examples" / "five-pis.yaml"),
            "axes": {"traffic.rate": {"from": "0.1/s", "to": "2/s", "steps": 6}},
            "keep": ["latency_s.mean", "energy_j.per_request"],
        },
    )


FILE = ROOT / "examples" / "five-pis.yaml"
SUBJECTS = {
    "run": Subject(
        lambda folder: ["run", FILE, "--set", "traffic.requests=3000", "--out", folder / "out"],
        _run_left,
        lambda folder: (folder / "out" / "requests.csv").read_bytes(),
    ),
    "sweep": Subject(
        lambda folder: ["sweep", _study(folder), "--out", folder / "out"],
        _study_left,
        lambda folder: (folder / "out" / "table.csv").read_bytes(),
    ),
    "sweep, 2 workers": Subject(
        lambda folder: ["sweep", _study(folder), "--out", folder / "out", "--workers", "2"],
        _study_left,
        lambda folder: (folder / "out" / "table.csv").read_bytes(),
    ),
    "partition": Subject(
        lambda folder: [
            "partition", _write(folder / "recipe.yaml", RECIPE), "-o", folder / "out",
        ],
        _artifact_left,
        _artifact_result,
    ),
}  # fmt: skip


class Deploying:
    """A node, a deployment to it, and what the node then serves."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.keys = fresh_keys(folder / "keys")
        self.node = stack.enter_context(node(folder / "store", self.keys / "localhost"))
        self.file = _write(
            folder / "scenario.yaml",
            {
                "model": {"artifact": str(ROOT / "examples" / "fashion-2")},
                "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub"},
                "nodes": {
                    "hub": {"device": "raspberry-pi-4b", "address": self.node.inference},
                },
                "traffic": {"arrivals": "closed", "requests": 20},
            },
        )

    def subject(self) -> Subject:
        """Return the deployment as something to end."""
        return Subject(self._command, lambda folder: "begun", self._served)

    def _command(self, folder: Path) -> list[str | Path]:
        return [
            "deploy", self.file, ROOT / "examples" / "fashion-2", "--keys", self.keys / "admin",
            "--admin", f"hub={self.node.admin}",
        ]  # fmt: skip

    def _served(self, folder: Path) -> Any:
        out = folder / "played"
        run = ("run", self.file, "--mode", "real", "--keys", self.keys / "client", "--out", out)
        done = edgesim(*run)
        assert done.returncode == 0, done.stderr
        summary = json.loads((out / "summary.json").read_text())
        return summary["requests"], self.node.process.poll()


def _start(arguments: Sequence[str | Path]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], env=environment(), text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def _leftovers(folder: Path) -> list[Path]:
    """Return what lies beside a result under a temporary name."""
    return [path for path in folder.iterdir() if path.name.startswith(".out.")]


def kill(name: str, subject: Subject, kills: int, seed: int) -> Counter[str]:
    """End a command again and again with each signal; return what came of it.

    Raises:
        AssertionError: something was half there, or the command did not end well afterwards.
    """
    generator = random.Random(f"{seed} {name}")
    told: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "first").mkdir()
        begun_s = time.monotonic()
        done = edgesim_process(*subject.command(folder / "first"))
        life_s = time.monotonic() - begun_s
        assert done.returncode == 0, done.stderr
        right = subject.result(folder / "first")
        for number in SIGNALS:
            here = folder / f"again-{int(number)}"
            here.mkdir()
            for _ in range(kills):
                process = _start(subject.command(here))
                time.sleep(generator.uniform(0.0, life_s * 1.05))
                process.send_signal(number)
                _, error = process.communicate(timeout=PATIENCE_S)
                if _before_ours(error):
                    told["before the command could begin"] += 1
                else:
                    assert "Traceback" not in error, error
                told[f"{signal.Signals(number).name} {subject.left(here)}"] += 1
                told["kills"] += 1
                if generator.random() < 0.25:
                    _again(subject, here, right, told)
            _again(subject, here, right, told)
    return told


def _before_ours(error: str) -> bool:
    """Whether Python was interrupted while it started: it tells that by itself, at some length."""
    told = error.rstrip().endswith("KeyboardInterrupt")
    return told and "edgesim/cli" not in error and "edgesim/common/interrupts" not in error


def _again(subject: Subject, folder: Path, right: Any, told: Counter[str]) -> None:
    """Let a command end well where others were ended, and start anew after it."""
    done = edgesim(*subject.command(folder))
    assert done.returncode == 0, done.stderr
    assert subject.result(folder) == right, "another result than without a signal"
    told["resumed"] += 1
    told["leftovers"] += len(_leftovers(folder))
    for path in list(folder.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="by each signal, of each command")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("commands", nargs="*", help="all unless given")
    asked = parser.parse_args(arguments)
    print(f"{'command':18} {'kills':>6} {'ended well after':>16}  left by the ended")
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        subjects = dict(SUBJECTS)
        if not asked.commands or "deploy" in asked.commands:
            subjects["deploy"] = Deploying(Path(made), stack).subject()
        for name in asked.commands or subjects:
            told = kill(name, subjects[name], asked.kills, asked.seed)
            left = ", ".join(
                f"{key} {many}" for key, many in sorted(told.items()) if key.startswith("SIG")
            )
            if early := told["before the command could begin"]:
                left += f"; while Python itself began: {early}"
            if told["leftovers"]:
                left += f"; temporary folders left by SIGKILL: {told['leftovers']}"
            print(f"{name:18} {told['kills']:6} {told['resumed']:16}  {left}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

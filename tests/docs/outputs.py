"""Outputs that the documentation shows, beside what the commands print.

A block marked ``console`` holds commands after ``$`` and what they print. A line ``…`` stands for
any number of lines that are left out. Spaces, line breaks, lines of progress and times on the
clock do not count.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import needs
from tests.edgesim.command import COMMAND, FIVE_PIS, ROOT, environment
from tests.needs import Need

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
GAP = "…"
MISTAKES = {"raspberry-pi-4b, c": "raspbery-pi-4b, c", "bandwidth": "bandwith", "0.5/s": "-0.5/s"}
"""What is wrong with the file of `edgesim check cluster.yaml`: the rest is that of the five Pis."""
_FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRESS = re.compile(r"^.*: [\d,]+ of [\d,]+ \w+ after .*\n", re.MULTILINE)
"""A line of progress, which a command prints once a minute on a slow machine."""
_CLOCK = re.compile(r"(?<=simulated in )[\d.]+ \w+|(?<= points, )[\d.]+ \w+")

_LAYER = "4f-lcos-pluto --model resnet18 --layer layer1.0.conv1 --batch 8"


@dataclass(frozen=True)
class Played:
    """A command whose output is shown.

    Attributes:
        arguments: of ``edgesim``.
        need: what it takes beside Python.
        slow: it takes more than some seconds: compared by ``python -m tests.docs`` alone.
    """

    arguments: str
    need: Need | None = None
    slow: bool = False


COMMANDS = {
    "make run": Played("run examples/five-pis.yaml"),
    **{
        f"edgesim {arguments}": Played(arguments, need, slow)
        for arguments, need, slow in (
            ("run examples/five-pis.yaml", None, False),
            ("check cluster.yaml", None, False),
            ("models --on raspberry-pi-4b", None, False),
            ("run examples/fashion-five-pis.yaml", None, False),
            (
                "devices 4f-lcos-pluto --model resnet18 --layer layer1.0.conv1 --batch 8",
                None,
                False,
            ),
            (
                "devices examples/optics/own/device.yaml --model resnet18_cifar --layer "
                "layer1.0.conv1 --batch 16",
                None,
                False,
            ),
            ("run examples/own-4f.yaml", None, False),
            ("sweep examples/fewest-pis-study.yaml", needs.OPTUNA, False),
            ("sweep examples/five-pis-study.yaml --workers 2", None, True),
            ("sweep examples/faults/policies-study.yaml --workers 2", None, True),
        )
    },
}


@dataclass(frozen=True)
class Block:
    """What a page shows of a command.

    Attributes:
        page: where it is.
        command: after the dollar sign.
        shown: the lines after it.
    """

    page: Path
    command: str
    shown: str


def blocks() -> Iterator[Block]:
    """Give every command of the documentation that has lines after it, in order."""
    for page in PAGES:
        for fence in _FENCE.findall(page.read_text()):
            for part in re.split(r"^\$ ", fence, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                if shown.strip():
                    yield Block(page, command.partition(" #")[0].strip(), shown)


def printed(played: Played, folder: Path) -> str:
    """Return what a command prints, on either stream, when it is played in a folder."""
    (folder / "examples").symlink_to(ROOT / "examples")
    text = FIVE_PIS.read_text()
    for right, wrong in MISTAKES.items():
        text = text.replace(right, wrong, 1)
    (folder / "cluster.yaml").write_text(text)
    done = subprocess.run(
        [*COMMAND, *played.arguments.split()],
        cwd=folder, env=environment(), text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


def missing(shown: str, printed: str) -> str:
    """Return the first part of a block that a command does not print; nothing if it prints all."""
    words = _CLOCK.sub("TIME", _PROGRESS.sub("", printed)).split()
    parts = re.split(rf"^ *{GAP} *$", _CLOCK.sub("TIME", shown), flags=re.MULTILINE)
    start = 0
    for number, part in enumerate(parts):
        wanted = part.split()
        places = range(start, len(words) - len(wanted) + 1) if number else (0,)
        found = next((at for at in places if words[at : at + len(wanted)] == wanted), None)
        if found is None:
            return part.strip()
        start = found + len(wanted)
    return "" if parts[-1].split() == [] or start == len(words) else " ".join(words[start:])

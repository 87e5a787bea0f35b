"""What `pip install edgesim` alone does: it simulates, and says which extra the rest needs.

`make test-core` runs this in an environment that has no extra, against the installed package.
Elsewhere the extras' packages are hidden from the commands.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from edgesim.common.extras import MODULES
from tests import needs

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
OPTIONAL = sorted({name.partition(".")[0] for names in MODULES.values() for name in names})
BARE_INSTALL = not any(map(find_spec, OPTIONAL))
SIMULATED = (
    "five-pis", "task-graph", "mixed-nodes", "one-machine", "pipeline-jetsons",
    "replicate-mlperf-server", "fashion-five-pis", "pis-with-light", "optical-what-if",
    "real-nodes", "faults/links", "faults/heat", "faults/battery",
)  # fmt: skip
FEW = ("--set", "traffic.requests=200")
EXTRAS = (
    ("train", ["partition", "examples/digits-partition.yaml", "-o", "out"]),
    ("node", ["keys", "out"]),
    ("node", ["deploy", "cluster.yaml", "artifact", "--keys", "keys"]),
    ("torch-node", ["node", "--listen", "127.0.0.1:1", "--store", "store", "--keys", "keys"]),
    ("torch-node", ["run", "examples/real-nodes.yaml", "--mode", "real", "--plain"]),
    ("torch-node", ["run", "examples/real-nodes.yaml", "--mode", "both", "--plain"]),
    ("profile", ["profile", "-o", "here.yaml"]),
    ("search", ["sweep", "examples/fewest-pis-study.yaml"]),
    ("parquet", ["sweep", "examples/five-pis-study.yaml", "--format", "parquet"]),
)
PLAY = """
import contextlib, io, json, sys
from edgesim.__main__ import main
played = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["edgesim", *arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            played.append((end.code, out.getvalue(), err.getvalue()))
print(json.dumps([played, [name for name, module in sys.modules.items() if module]]))
"""


def play(commands: Sequence[Sequence[str]], folder: Path) -> tuple[list[Any], set[str]]:
    """Return exit status, stdout and stderr of commands in one process, and the modules it has."""
    (folder / "examples").symlink_to(EXAMPLES)
    hidden = {"EDGESIM_HIDDEN": ",".join(OPTIONAL), "PYTHONPATH": f"{needs.BARE_PATH}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", PLAY, json.dumps(commands)],
        cwd=folder, env={**os.environ, **({} if BARE_INSTALL else hidden)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    played, modules = json.loads(done.stdout)
    return played, set(modules)


def test_without_extras_all_that_only_simulates_runs(tmp_path: Path) -> None:
    commands = [
        ["--help"],
        ["init"],
        ["check", "cluster.yaml"],
        ["schema"],
        ["models"],
        ["models", "vit_base_patch16_224"],
        ["devices"],
        ["devices", "4f-dmd-dlp7000", "--model", "resnet18"],
        *(["run", f"examples/{name}.yaml", *FEW, "--out", f"runs/{name}"] for name in SIMULATED),
        ["report", "runs/five-pis"],
        ["sweep", "examples/five-pis-study.yaml", *FEW, "--out", "study"],
        ["report", "study"],
    ]
    played, modules = play(commands, tmp_path)
    failed = [one for one in zip(commands, played, strict=True) if one[1][0] != 0]
    assert failed == []
    assert not modules & set(OPTIONAL)


def test_what_needs_an_extra_names_it_in_one_line(tmp_path: Path) -> None:
    commands = [command for _, command in EXTRAS]
    played, _ = play(commands, tmp_path)
    for (extra, command), (status, out, err) in zip(EXTRAS, played, strict=True):
        told = rf"edgesim: [^\n]+ needs [\w., ]+: pip install 'edgesim\[{extra}\]'[^\n]*\n"
        assert (status, out) == (2, ""), command
        assert re.fullmatch(told, err), err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["examples"]


def test_the_packages_metadata_has_every_extra() -> None:
    """And the core none of their packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(MODULES) == set(extras) - {"all", "dev", "docs"}

    def packages(extra: str) -> set[str]:
        found: set[str] = set()
        for line in extras[extra]:
            name, others = re.fullmatch(r"([\w-]+)(?:\[(.+)\])?(?:[<>=].*)?", line).groups()
            found |= set().union(*map(packages, others.split(","))) if others else {name}
        return found

    brought = {
        "google.protobuf": "protobuf", "grpc": "grpcio", "grpc_health": "grpcio-health-checking",
        "grpc_reflection": "grpcio-reflection", "sklearn": "scikit-learn", "PIL": "pillow",
    }  # fmt: skip
    for extra, modules in MODULES.items():
        names = {brought.get(name, name.replace("_", "-")) for name in modules}
        assert names == packages(extra) - {"mpich"}, extra
    core = {re.split("[<>=]", line)[0] for line in project["dependencies"]}
    assert not core & set().union(*map(packages, MODULES))
    assert set(extras["all"][0][len("edgesim[") : -1].split(",")) <= set(MODULES)
    assert packages("all") == set().union(*map(packages, MODULES))


@pytest.mark.skipif(BARE_INSTALL, reason="has no extra: `make test-core`")
@pytest.mark.skipif(needs.BARE, reason="the packages of extras are hidden; `make test` shows them")
def test_every_module_of_an_extra_is_one(tmp_path: Path) -> None:
    lacking = {name for names in MODULES.values() for name in names if find_spec(name) is None}
    assert lacking <= {"timm"}

"""Every command with every kind of wrong input: exit status 2, one message, nothing written."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.edgesim.command import FIVE_PIS, ROOT, assert_fails, edgesim, edgesim_process

EXAMPLES = ROOT / "examples"
REAL = EXAMPLES / "real-nodes.yaml"
DIGITS = EXAMPLES / "digits-partition.yaml"
STUDY = EXAMPLES / "five-pis-study.yaml"
ARTIFACT = EXAMPLES / "fashion-2"
PI = ("devices", "raspberry-pi-5", "--model", "resnet18")

TAKES_A_FILE: dict[str, Callable[[str], tuple[str | Path, ...]]] = {
    "check": lambda file: ("check", file),
    "run": lambda file: ("run", file),
    "sweep": lambda file: ("sweep", file),
    "partition": lambda file: ("partition", file, "-o", "out"),
    "deploy": lambda file: ("deploy", file, ARTIFACT, "--keys", "keys/admin"),
    "devices": lambda file: ("devices", file),
    "node": lambda file: (*NODE, "--keys", "keys/localhost", "--emulate", file),
}
NODE = ("node", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--store", "store")
WRONG_FILES = {
    "absent.yaml": "does not exist",
    "broken.yaml": "the text ends inside a list or mapping",
    "list.yaml": "got a list",
    "empty.yaml": "is empty",
    "binary.yaml": "UTF-8",
    "folder.yaml": "is a folder",
}
WRONG_OPTIONS = [
    (("run", FIVE_PIS, "--set", "traffic.rate"), "KEY.PATH=VALUE"),
    (("run", FIVE_PIS, "--out", "text"), "text is no folder"),
    (("run", FIVE_PIS, "--out", "text/out"), "cannot write the result to text/out"),
    (("run", FIVE_PIS, "--out", "/proc/out"), "cannot write the result to /proc/out"),
    (("run", STUDY), "this is a study"),
    (("run", FIVE_PIS, "--deadline", "1 s"), "--deadline is for --mode real or both"),
    (("run", REAL, "--mode", "real", "--plain", "--deadline", "soon"), "'--deadline'"),
    (("run", REAL, "--mode", "real", "--plain", "--hedge", "0 s"), "expected more than 0"),
    (("run", REAL, "--mode", "real", "--plain", "--faults-by", "'"), "'--faults-by'"),
    (("run", REAL, "--mode", "real", "--plain", "--loads", "0.5"), "--loads is for --mode both"),
    (("run", REAL, "--mode", "both", "--plain", "--loads", "all"), "--loads: expected shares"),
    (("run", FIVE_PIS, "--mode", "real", "--plain"), "the model is no artifact"),
    (("sweep", STUDY, "--out", "keys"), "keys holds files that are no study"),
    (("sweep", STUDY, "--out", "text/out"), "cannot write text/out"),
    (("sweep", STUDY, "--format", "csv"), "'--format'"),
    (("sweep", STUDY, "--workers", "0"), "'--workers': expected at least 1, got '0'"),
    (("sweep", FIVE_PIS), "this is a scenario"),
    (("partition", DIGITS), "missing option '--out'"),
    (("partition", DIGITS, "-o", "text"), "--out: text is a file"),
    (("partition", DIGITS, "-o", "text/out"), "--out: text is a file"),
    (("partition", DIGITS, "-o", "out", "--work", "text"), "--work: text is a file"),
    (("partition", FIVE_PIS, "-o", "out"), "expected a 'training' section"),
    (("models", "no-such-model"), "no model is named"),
    (("models", "--classes", "0"), "'--classes'"),
    (("devices", "no-such-device"), "no device is named"),
    ((*PI, "--layer", "no-such-layer"), "is no operator"),
    ((*PI, "--precision", "fp3"), "does not compute in fp3"),
    ((*PI, "--layer", "conv1", "--out", "x.png"), "svg"),
    (("report", "absent"), "absent is no result folder"),
    (("report", "text"), "text is no result folder"),
    (("init", "text"), "text is a file, not a folder"),
    (("init", "text/new"), "cannot write text/new/cluster.yaml"),
    (("init", "/proc/new"), "cannot write /proc/new/cluster.yaml"),
    (("keys", "text"), "cannot make keys in text"),
    (("keys", "more", "a host"), "expected a host's name"),
    (("keys", "damaged"), "cannot read the authority in damaged/ca"),
    (("profile", "--out", "folder.yaml"), "folder.yaml is a folder"),
    (("profile", "--out", "out.txt"), "ends in .yaml"),
    (("profile", "--out", "text/x.yaml"), "cannot write text/x.yaml"),
    (("profile", "--out", "/proc/nothing/x.yaml"), "cannot write /proc/nothing/x.yaml"),
    (("profile", "--out", "x.yaml", "--power", "3 W"), "'--power'"),
    (("deploy", REAL, "absent", "--keys", "keys/admin"), "absent is not an artifact"),
    (("deploy", FIVE_PIS, "absent", "--keys", "keys/admin"), "absent is not an artifact"),
    (("deploy", REAL, "changed", "--keys", "keys/admin"), "part-0.safetensors has SHA-256"),
    (("deploy", REAL, ARTIFACT, "--keys", "keys/client"), "deploy with the admin's keys"),
    (("deploy", REAL, ARTIFACT, "--keys", "keys/admin", "--admin", "pi"), "NODE=HOST:PORT"),
    (("deploy", REAL, ARTIFACT, "--keys", "keys/admin", "--admin", "pi=x"), "HOST:PORT"),
    (("deploy", REAL, ARTIFACT, "--keys", "keys/admin", "--patience", "x"), "'--patience'"),
    ((*NODE, "--keys", "keys/localhost", "--store", "text"), "cannot use text as a store"),
    ((*NODE, "--keys", "keys/localhost", "--cpus", "4095"), "cannot use the processors [4095]"),
    ((*NODE, "--keys", "keys/localhost", "--emulate", "no-such"), "no device is named"),
    ((*NODE, "--keys", "keys/localhost", "--metrics", "x"), "expected HOST:PORT"),
    ((*NODE, "--keys", "keys/localhost", "--memory", "much"), "'--memory'"),
]
KEYS: dict[str, Callable[[str], tuple[str | Path, ...]]] = {
    "node": lambda keys: (*NODE, "--keys", keys),
    "deploy": lambda keys: ("deploy", REAL, ARTIFACT, "--keys", keys, "--patience", "0 s"),
    "run": lambda keys: ("run", REAL, "--mode", "real", "--keys", keys),
    "compare": lambda keys: ("run", REAL, "--mode", "both", "--keys", keys),
}
WRONG_KEYS = {
    "absent": "is no folder of keys",
    "text": "is no folder of keys",
    "empty": "cannot read the keys",
    "junk": "ca.pem is not a certificate",
    "mixed": "key.pem is not the key of cert.pem",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wrong")
    assert edgesim("keys", "keys", cwd=path).returncode == 0
    (path / "broken.yaml").write_text("a: [")
    (path / "list.yaml").write_text("- 1")
    (path / "empty.yaml").write_text("")
    (path / "binary.yaml").write_bytes(b"\xff\xfe")
    (path / "folder.yaml").mkdir()
    (path / "text").write_text("mine")
    (path / "empty").mkdir()
    shutil.copytree(path / "keys", path / "damaged")
    (path / "damaged/ca/key.pem").write_text("no key")
    for name in ("junk", "mixed"):
        shutil.copytree(path / "keys/admin", path / name)
    (path / "junk/ca.pem").write_text("no certificate")
    shutil.copy(path / "keys/client/key.pem", path / "mixed/key.pem")
    shutil.copytree(ARTIFACT, path / "changed")
    with (path / "changed/part-0.safetensors").open("ab") as file:
        file.write(b"x")
    return path


def refused(folder: Path, arguments: tuple[str | Path, ...], part: str) -> None:
    before = sorted(os.listdir(folder))
    assert_fails(edgesim(*arguments, cwd=folder), 2, [part])
    # A node makes its store before it looks at what is in it.
    assert sorted(set(os.listdir(folder)) - {"store"}) == sorted(set(before) - {"store"})


@pytest.mark.parametrize("name", WRONG_FILES)
@pytest.mark.parametrize("command", TAKES_A_FILE)
def test_a_wrong_file(command: str, name: str, folder: Path) -> None:
    refused(folder, TAKES_A_FILE[command](name), WRONG_FILES[name])


@pytest.mark.parametrize(("arguments", "part"), WRONG_OPTIONS)
def test_a_wrong_option(arguments: tuple[str | Path, ...], part: str, folder: Path) -> None:
    refused(folder, arguments, part)


@pytest.mark.parametrize("name", WRONG_KEYS)
@pytest.mark.parametrize("command", KEYS)
def test_wrong_keys(command: str, name: str, folder: Path) -> None:
    refused(folder, KEYS[command](name), WRONG_KEYS[name])


@pytest.mark.parametrize("option", ["--listen", "--admin", "--metrics"])
def test_an_address_in_use(option: str, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        # In a process of its own, whose log a node sets up.
        command = (*NODE, "--keys", "keys/localhost", option, address)
        assert_fails(edgesim_process(*command, cwd=folder), 2, [f"cannot listen on {address}"])

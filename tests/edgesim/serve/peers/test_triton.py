"""A node as Triton's public gRPC client sees it over mutual TLS, with nothing of ours between."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from edgesim.serve.manifest import SignedManifest
from edgesim.serve.protocol import open_inference_pb2
from edgesim.version import __version__
from partition.artifact import load_artifact
from tests import needs
from tests.edgesim.command import environment
from tests.edgesim.serve.cluster import ARTIFACT, Client, fill, node

pytestmark = needs.TRITON.mark
SCRIPT = Path(__file__).with_name("triton_session.py")


def test_triton_client_against_a_node(
    tmp_path: Path, keys: Path, manifest: SignedManifest, images: torch.Tensor
) -> None:
    np.save(tmp_path / "images.npy", images.numpy())
    with node(tmp_path / "store", keys / "localhost") as process:
        with Client(process.admin, keys / "admin") as admin:
            fill(admin, manifest, ["part-0"])
        done = subprocess.run(
            [sys.executable, SCRIPT, process.inference, keys / "client", tmp_path / "images.npy",
             tmp_path / "logits.npy"],
            env=environment(), capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    with torch.inference_mode():
        expected = load_artifact(ARTIFACT).parts[0](images)
    assert np.array_equal(np.load(tmp_path / "logits.npy"), expected.numpy())
    assert seen["asynchronous"]
    assert seen["live"]
    assert seen["ready"]
    assert seen["models"] == {"part-0": True, "part-1": False}
    assert (seen["server"]["name"], seen["server"]["version"]) == ("edgesim", __version__)
    assert seen["model"]["inputs"] == [
        {"name": "input", "datatype": "FP32", "shape": ["-1", "1", "32", "32"]}
    ]
    assert seen["id"] == "42"
    assert seen["timings"].keys() == {"queue_ns", "compute_ns", "processor_ns", "batch", "waiting"}
    codes = {name: status for name, (status, _) in seen["errors"].items()}
    assert codes == {
        "unknown model": "StatusCode.NOT_FOUND",
        "timeout": "StatusCode.DEADLINE_EXCEEDED",
        "shape": "StatusCode.INVALID_ARGUMENT",
        "classes": "StatusCode.INVALID_ARGUMENT",
        "extension": "StatusCode.UNIMPLEMENTED",
    }
    assert "[samples, 1, 32, 32], not [4, 1024]" in seen["errors"]["shape"][1]
    # Every field of theirs that we have is ours by number and type. Ours alone are the properties
    # of a model, which the specification has and this client has not.
    for name, fields in seen["wire"].items():
        ours = message(name)
        for field in ours.fields:
            if (name, field.name) != ("inference.ModelMetadataResponse", "properties"):
                repeated = int(field.is_repeated)
                assert fields.pop(field.name) == [field.number, field.type, repeated], field.name
        assert fields == {}, f"{name} has fields that ours lacks"


def message(name: str):
    outer, *inner = name.removeprefix("inference.").split(".")
    found = open_inference_pb2.DESCRIPTOR.message_types_by_name[outer]
    for one in inner:
        found = found.nested_types_by_name[one]
    return found

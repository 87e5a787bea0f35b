"""What a node costs beside the part that it computes: gRPC, TLS, copying, the queue.

The node is a process of its own on one processor. Its kernel counts the processor time of every
thread: what the computing thread took is the part's, all the rest is the node's. That ratio does
not depend on who else uses the machine; the times that a client waits do, and are told beside it.
``make bench`` serves ViT-S too; as a plain test a part of Fashion-MNIST answers a few times.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from edgesim.serve.deploy import pack
from edgesim.serve.protocol import admin_pb2
from edgesim.serve.services import ACTIVATE, OFFER, UPLOAD
from partition.artifact import write_untrained
from partition.config import ViTConfig, preset
from partition.model import VisionTransformer
from tests.benchmarks.scale import FULL
from tests.edgesim.serve.cluster import Client, NodeProcess, fresh_keys, node, offer, pieces

REQUESTS = 40 if FULL else 5
WARM_UP = 3
SHAPES = {
    "Fashion-MNIST part": ViTConfig(
        image=32, channels=1, patch=1, width=24, depth=6, heads=8, head_width=3, mlp_width=96,
        classes=3, stem=(24, 48, 64),
    ),
    **({"ViT-S/16, 224 pixels": preset("vit_small_patch16_224", classes=10)} if FULL else {}),
}  # fmt: skip

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="the kernel counts no time of threads"
)


def artifact(folder: Path, config: ViTConfig) -> tuple[Path, VisionTransformer]:
    """Write an artifact of one part with weights of chance."""
    part = VisionTransformer(config, torch.Generator().manual_seed(7))
    write_untrained(folder, "cost", (part,), 10)
    return folder, part


def processor_s(process: NodeProcess) -> dict[str, float]:
    """Return the processor time of every thread so far, in seconds."""
    tasks = Path(f"/proc/{process.process.pid}/task").iterdir()
    return {task.name: int((task / "schedstat").read_text().split()[0]) / 1e9 for task in tasks}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fresh_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("name", SHAPES)
def test_cost_of_a_node_beside_its_part(name: str, keys: Path, tmp_path: Path) -> None:
    config = SHAPES[name]
    folder, part = artifact(tmp_path / "artifact", config)
    manifest = pack(folder, keys / "admin").manifest
    shape = (1, config.channels, config.image, config.image)
    image = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with (
        node(tmp_path / "store", keys / "localhost", "--cpus", "0") as process,
        Client(process.admin, keys / "admin") as admin,
        Client(process.inference, keys / "client") as client,
    ):
        admin.call(OFFER, offer(manifest, ["part-0"], folder))
        data = (folder / "part-0.safetensors").read_bytes()
        admin.call(UPLOAD, pieces(manifest.entries["part-0"].sha256, data, chunk=1 << 18))
        activate = admin_pb2.ActivateRequest(manifest_sha256=manifest.sha256, models=["part-0"])
        admin.call(ACTIVATE, activate)
        for _ in range(WARM_UP):
            found, _ = client.infer("part-0", {"input": image})
        with torch.inference_mode():
            torch.testing.assert_close(found["logits"], part.eval()(image))
        begun = processor_s(process)
        waits_s, computes_s = [], []
        for _ in range(REQUESTS):
            asked_s = time.perf_counter()
            _, timings = client.infer("part-0", {"input": image})
            waits_s.append(time.perf_counter() - asked_s)
            computes_s.append(timings["compute_ns"] / 1e9)
        ended = processor_s(process)
    spent = [ended[task] - begun.get(task, 0.0) for task in ended]
    compute_s = max(spent) / REQUESTS
    rest_s = (sum(spent) - max(spent)) / REQUESTS
    compute_wall_s = statistics.median(computes_s)
    beside_wall_s = statistics.median(
        wait - compute for wait, compute in zip(waits_s, computes_s, strict=True)
    )
    assert compute_s > 0
    print(f"\n{name}, one image, mutual TLS, {REQUESTS} requests one after another")
    print(f"  processor time: part {compute_s * 1e3:.2f} ms, node {rest_s * 1e3:.3f} ms a request")
    print(f"  node / part:                       {rest_s / compute_s:.4f}")
    print(f"  a client waits beside the part:    {beside_wall_s * 1e3:.2f} ms (median)")
    print(f"  that / the part's time on a clock: {beside_wall_s / compute_wall_s:.4f}")

"""Keys, a signed manifest, and images that the tests of nodes share."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from edgesim.serve.deploy import pack
from edgesim.serve.manifest import SignedManifest
from tests.edgesim.serve.cluster import ARTIFACT, fresh_keys
from tests.edgesim.serve.five import Five, five
from tests.edgesim.serve.namespaces import Rate, lacking

RATE = Rate(byte_s=100e6 / 8)
"""As slow as Ethernet of small boards once was."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fresh_keys(tmp_path_factory.mktemp("keys") / "keys")


@pytest.fixture(scope="session")
def manifest(keys: Path) -> SignedManifest:
    return pack(ARTIFACT, keys / "admin").manifest


@pytest.fixture(scope="session")
def images() -> torch.Tensor:
    return torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in the place of Fashion-MNIST, for ``XDG_DATA_DIRS``: as many test images, all unlike.

    What a run does with images of a known class needs no installed data set.
    """
    folder = tmp_path_factory.mktemp("share") / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(7)
    for half, images in (("train", 100), ("t10k", 10_000)):
        pixels = noise.integers(256, size=(images, 28, 28), dtype=np.uint8)
        labels = np.arange(images, dtype=np.uint8) % 10
        for name, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / f"{half}-{name}-ubyte").write_bytes(header + array.tobytes())
    return folder.parents[1]


@pytest.fixture(scope="module", params=["loopback" if lacking() else "namespaces"])
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Five]:
    """Start five nodes and a hub; the names of tests that use them tell where they are."""
    if sys.platform != "linux":
        # Affinity and /proc are Linux's; .ci/run is on Linux, where nothing is skipped.
        pytest.skip("stays on processors and watches processes as Linux lets it")
    with five(tmp_path_factory.mktemp("five"), RATE) as running:
        yield running

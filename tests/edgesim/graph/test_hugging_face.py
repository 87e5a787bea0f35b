"""Vision models of Hugging Face's transformers, as the example names them.

transformers is in an environment of its own, which ``make peers`` makes.
"""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from edgesim.graph.trace import trace
from tests import needs
from tests.edgesim.command import ROOT
from tests.partition.peers.bare_torchvision import import_timm

import_timm()  # makes torchvision importable beside a CPU build of torch
pytest.importorskip("transformers", exc_type=ImportError, reason=needs.TRANSFORMERS.reason)


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "own-model"))


@pytest.mark.parametrize(
    ("name", "size", "published_macs", "published_params", "idle"),
    [
        ("vit", 224, 17.6e9, 86.6e6, 0),  # arXiv 2010.11929
        ("dinov2", 518, None, 22e6, 384),  # arXiv 2304.07193; the mask token is for training
        ("swin", 224, 4.5e9, 28.3e6, 0),  # arXiv 2103.14030, table 1
        ("segformer", 512, 8.4e9, 3.8e6, 0),  # arXiv 2105.15203, table 2
    ],
)
def test_a_model_by_its_configuration_alone(
    name: str, size: int, published_macs: float | None, published_params: float, idle: int
) -> None:
    import hugging_face

    with torch.device("meta"):
        module = getattr(hugging_face, name)().eval()
        example = torch.empty(1, 3, size, size)
    graph = trace(module, example)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(example)
    assert graph.macs == counter.get_total_flops() // 2
    assert graph.params == sum(one.numel() for one in module.parameters()) - idle
    assert graph.params == pytest.approx(published_params, rel=0.04)
    if published_macs is not None:
        assert graph.macs == pytest.approx(published_macs, rel=0.01)

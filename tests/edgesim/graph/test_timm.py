"""Builders and tracing against timm's own modules, where it is installed.

timm is in an environment of its own, which ``make peers`` makes; elsewhere these are skipped.
"""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from edgesim.common.errors import InputError
from edgesim.graph import Graph, zoo
from edgesim.graph.sources import modules
from edgesim.graph.trace import trace
from tests.partition.peers.bare_torchvision import import_timm

timm = import_timm()

NAMES = [
    "vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224",
    "deit_tiny_distilled_patch16_224", "resnet50", "mobilenetv2_100", "mobilenetv3_small_100",
    "mobilenetv3_large_100", "convnext_tiny", "swin_tiny_patch4_window7_224", "pvt_v2_b0",
    "efficientformer_l1", "efficientvit_b1", "tiny_vit_5m_224", "convit_small",
    "crossvit_small_240", "nextvit_small", "volo_d1_224",
]  # fmt: skip


def by_kind(graph: Graph) -> Counter[str]:
    totals: Counter[str] = Counter()
    for op in graph:
        if op.macs:
            totals[op.kind] += op.macs
    return totals


@pytest.mark.parametrize("name", NAMES)
def test_builder_trace_and_torch_agree_on_timms_module(name: str) -> None:
    size = zoo.info(name).image_size
    with torch.device("meta"):
        module = timm.create_model(name).eval()
        example = torch.empty(1, 3, size, size)
    built, traced = zoo.build(name), trace(module, example)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(example)
    assert built.macs == traced.macs == counter.get_total_flops() // 2
    assert built.params == traced.params == sum(p.numel() for p in module.parameters())
    assert by_kind(built) == by_kind(traced)


@pytest.mark.parametrize(
    ("name", "classes", "arguments", "given", "size"),
    [
        ("xcit_nano_12_p8_224", None, {}, None, 224),
        ("convnext_atto.d2_in1k", 10, {}, [3, 64, 64], 64),
        ("vit_tiny_patch16_224", 10, {"img_size": 96}, [3, 96, 96], 96),
        ("tf_efficientnet_b1", None, {}, None, 240),
    ],
)
def test_a_source_takes_any_of_timms_names(
    name: str, classes: int | None, arguments: dict[str, int], given: list[int] | None, size: int
) -> None:
    job = {"name": name, "classes": classes, "arguments": arguments, "input": given}
    found = modules.of_timm(job).graph
    options = {} if classes is None else {"num_classes": classes}
    with torch.device("meta"):
        module = timm.create_model(name, **options, **arguments).eval()
        example = torch.empty(1, 3, size, size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(example)
    assert found.macs == counter.get_total_flops() // 2
    assert found.output_elements == (classes or 1000)
    assert found.name == name
    assert found.source.startswith(f"timm:{name}, timm {timm.__version__}, torch ")


@pytest.mark.parametrize(
    ("name", "trained", "deployed", "digit"),
    [
        # arXiv 2206.04040, table 4: 0.275 G and 2.1 M. MobileOne's branches are merged.
        ("mobileone_s0", 1.052e9, 0.275e9, 0.001e9),
        # arXiv 2303.14189, table 4.
        ("fastvit_t8", None, 0.7e9, 0.1e9),
        # arXiv 2101.03697, table 1: RepVGG-A0 8.30 M and 1.4 G.
        ("repvgg_a0", 1.5e9, 1.4e9, 0.1e9),
        # arXiv 2104.01136, table 2: LeViT-128S 305 M. Batch norms go, products stay.
        ("levit_128s", 0.305e9, 0.305e9, 0.001e9),
    ],
)
def test_training_branches_are_merged_as_published(
    name: str, trained: float | None, deployed: float, digit: float
) -> None:
    """As far as print has digits: half of the last one, or 2 % where that is more."""
    job = {"name": name, "classes": None, "arguments": {}, "input": None}
    merged, plain = (modules.of_timm({**job, "reparameterize": one}) for one in ("auto", False))
    assert merged.graph.macs == pytest.approx(deployed, rel=0.02, abs=digit / 2)
    if trained is not None:
        assert plain.graph.macs == pytest.approx(trained, rel=0.02)
    assert merged.graph.params < plain.graph.params
    assert merged.notes[0].startswith("merged for deployment: ")
    assert plain.notes[0].startswith("counted as it is trained: ")
    assert "(deployed form)" in merged.graph.source
    kinds = Counter(op.kind for op in merged.graph)
    assert kinds["batchnorm"] < Counter(op.kind for op in plain.graph)["batchnorm"]


def test_a_name_that_timm_does_not_have() -> None:
    job = {"name": "resnet5", "classes": None, "arguments": {}, "input": None}
    with pytest.raises(InputError, match=r"has no model 'resnet5' \(did you mean 'resnet"):
        modules.of_timm(job)

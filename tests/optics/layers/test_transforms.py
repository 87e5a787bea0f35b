"""Converted models under torch's transforms: as the electronic model, or refused in one line."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from edgesim.graph.trace import trace
from optics.detection import TwoShot
from optics.errors import InputError
from optics.layers import Bench, OpticalConv2d, Road, convert, optical_conv2d
from optics.system import FourF

ROADS: tuple[Road, ...] = ("ideal", "physical")


def model(road: Road) -> tuple[nn.Module, nn.Module]:
    """Return an electronic model and the same on light."""
    torch.manual_seed(0)
    electronic = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 2, 3, stride=2), nn.Flatten(),
        nn.Linear(18, 4),
    ).eval()  # fmt: skip
    bench = Bench(FourF.ideal((32, 32)), scheme=TwoShot(), noise=False)
    return electronic, convert(electronic, bench, road=road).model


@pytest.mark.parametrize("road", ROADS)
def test_autocast_leaves_light_in_the_precision_of_its_weight(road: Road) -> None:
    electronic, light = model(road)
    images = torch.rand(2, 1, 8, 8)
    first, second = light[0], light[2]  # type: ignore[index]
    assert isinstance(second, OpticalConv2d)
    exact = first(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(first(images), exact)
        assert second(exact.relu().to(torch.bfloat16)).dtype == torch.float32
        found = light(images)
        alone = optical_conv2d(
            images.to(torch.bfloat16), first.weight, bench=first.bench, road=road
        )
    assert alone.dtype == torch.float32
    # The linear layer is in bfloat16, of eight bits.
    torch.testing.assert_close(found.float(), electronic(images), rtol=0, atol=0.02)
    with pytest.raises(InputError, match=r"must be float32 or float64, got torch.bfloat16"):
        first(images.to(torch.bfloat16))


@pytest.mark.parametrize("road", ROADS)
def test_shapes_and_operators_are_those_of_the_electronic_model(road: Road) -> None:
    electronic, light = model(road)
    images = torch.rand(2, 1, 8, 8)
    exported = torch.export.export(light, (images,), strict=False).module()
    torch.testing.assert_close(exported(images), electronic(images))
    assert light.to("meta")(images.to("meta")).shape == (2, 4)
    _, light = model(road)
    counts = []
    for one in (electronic, light):
        with FlopCounterMode(display=False) as counter:
            one(images)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] == 2 * 2 * (64 * 3 * 9 + 9 * 2 * 27 + 18 * 4)
    ours, theirs = trace(light, images), trace(electronic, images)
    assert [op.kind for op in ours.ops] == [op.kind for op in theirs.ops]
    assert ours.macs == theirs.macs


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
def test_transforms_that_would_lose_the_light_are_refused() -> None:
    _, light = model("ideal")
    images = torch.rand(2, 1, 8, 8)
    weights = dict(light.named_parameters())

    def loss(values: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(light, values, (images,)).sum()

    for call in (
        lambda: torch.jit.trace(light, images),  # type: ignore[no-untyped-call]
        lambda: torch.vmap(light)(images[:, None]),
        lambda: torch.func.grad(loss)(weights),
    ):
        with pytest.raises(InputError, match=r"^0: a layer on light .* optics.layers.revert"):
            call()

"""Linear layers as convolutions: the same products, and no other layer touched."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from optics.layers import Bench, OpticalConv2d, convert
from optics.layers.linear import LinearAsConv, linear_as_conv
from optics.system import FourF


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize(
    ("inputs", "size"), [(48, (6, 8)), (49, (7, 7)), (13, (1, 13)), (1, (1, 1))]
)
@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_a_linear_layer_is_the_product_of_its_matrix(
    inputs: int, size: tuple[int, int], bias: bool
) -> None:
    linear = nn.Linear(inputs, 5, bias=bias, dtype=torch.float64)
    layer = linear_as_conv(linear)
    assert isinstance(layer, LinearAsConv)
    assert layer.conv.kernel_size == size
    x = drawn(3, 4, inputs)
    expected = torch.einsum("bti,oi->bto", x, linear.weight)
    if bias:
        expected = expected + linear.bias
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(layer(x[0, 0]), expected[0, 0], rtol=0, atol=1e-12)


def test_layers_of_another_class_and_the_model_itself_stay() -> None:
    class Own(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(Own(4, 4), nn.Linear(4, 2)), nn.GELU())
    made = linear_as_conv(model)
    assert [type(one) for one in model.modules()].count(nn.Linear) == 2
    kinds = [type(one) for one in made.modules()]
    assert (kinds.count(nn.Linear), kinds.count(LinearAsConv), kinds.count(Own)) == (0, 2, 1)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(made(x), model(x))


@torch.no_grad()
def test_the_convolution_goes_on_light() -> None:
    model = nn.Sequential(nn.Linear(12, 6), nn.GELU(), nn.Linear(6, 3)).double()
    done = convert(
        linear_as_conv(model), Bench(FourF.ideal((32, 32)), noise=False), road="physical"
    )
    assert done.converted == ("0.conv", "2.conv")
    assert isinstance(done.model.get_submodule("0.conv"), OpticalConv2d)
    x = drawn(7, 12)
    torch.testing.assert_close(done.model(x), model(x), rtol=0, atol=1e-6)

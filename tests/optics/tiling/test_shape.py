"""Sizes of a convolution against torch's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from optics.errors import InputError
from optics.tiling import ConvShape


@settings(max_examples=100)
@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
)
def test_sizes_are_torchs(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, padding: int, dilation: int
) -> None:
    arguments: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    images, weight = (2, 3, *size), (4, 3, *kernel)
    try:
        expected = functional.conv2d(
            torch.empty(images, device="meta"), torch.empty(weight, device="meta"), **arguments
        )
    except RuntimeError:
        with pytest.raises(InputError, match="larger than the padded image"):
            ConvShape.of(images, weight, **arguments)
        return
    shape = ConvShape.of(images, weight, **arguments)
    assert shape.out_size == tuple(expected.shape[-2:])
    assert shape.macs == expected.numel() * 3 * kernel[0] * kernel[1]


def test_same_puts_the_odd_zero_last() -> None:
    shape = ConvShape.of((1, 1, 8, 8), (1, 1, 4, 3), padding="same", dilation=(1, 2))
    assert shape.padding == ((1, 2), (2, 2))
    assert shape.out_size == (8, 8)
    assert shape.extent == (4, 5)
    assert shape.full == (11, 12)


def test_groups_divide_the_pairs() -> None:
    shape = ConvShape.of((1, 6, 8, 8), (9, 2, 3, 3), groups=3)
    assert (shape.in_group, shape.out_group, shape.pairs) == (2, 3, 18)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"out_channels": 3, "groups": 2}, "out_channels must divide by groups"),
        ({"in_channels": 3, "groups": 2}, "in_channels must divide by groups"),
        ({"size": (0, 4)}, r"got size=\(0, 4\)"),
        ({"batch": -1}, "batch=-1"),
        ({"padding": ((0, -1), (0, 0))}, "crop the image instead"),
        ({"kernel": (5, 1)}, "larger than the padded image; got 5x1"),
    ],
)
def test_bad_shapes(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "batch": 1, "in_channels": 2, "out_channels": 2, "size": (4, 4), "kernel": (3, 3)
    }  # fmt: skip
    ConvShape(**good)
    with pytest.raises(InputError, match=message):
        ConvShape(**(good | change))

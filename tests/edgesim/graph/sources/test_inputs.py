"""The grammar of ``input``: what it says, and what is said of what it is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from edgesim.graph.sources import inputs


@pytest.mark.parametrize(
    ("value", "shapes", "text"),
    [
        ([3, 224, 224], [[3, 224, 224]], "3×224×224"),
        ([], [[]], "a number"),
        ({"shape": [8], "dtype": "int64"}, [[8]], "8 int64"),
        ([[3, 4], [5]], [[3, 4], [5]], "(3×4, 5)"),
        ({"ids": {"shape": [8], "dtype": "bool"}, "n": {"value": 3}}, [[8]], "ids 8 bool, n 3"),
        ({"a": {"b": [2], "c": [[1], [4]]}}, [[2], [1], [4]], "a b 2, c (1, 4)"),
    ],
)
def test_forms(value: Any, shapes: list[list[int]], text: str) -> None:
    inputs.check(value)
    assert list(inputs.shapes(value)) == shapes
    assert inputs.text(value) == text


def test_examples_have_a_batch_of_one_and_their_type() -> None:
    (image,) = inputs.example([3, 8, 8])
    assert (image.shape, image.dtype) == ((1, 3, 8, 8), torch.float32)
    made = inputs.example({"ids": {"shape": [4], "dtype": "int64"}, "pair": [[2], [3]]})
    assert made["ids"].dtype == torch.int64
    assert [tuple(one.shape) for one in made["pair"]] == [(1, 2), (1, 3)]
    assert isinstance(made["pair"], tuple)


@pytest.mark.parametrize("dtype", inputs.DTYPES)
def test_every_type_is_torchs(dtype: str) -> None:
    (tensor,) = inputs.example({"shape": [2], "dtype": dtype})
    assert str(tensor.dtype) == f"torch.{dtype}"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([3, 0, 4], "expected sizes of at least 1"),
        ([1 << 30, 1 << 30], "expected sizes of at least 1, 1e\\+12 elements at most"),
        ([3, 2.5], "expected whole numbers"),
        ([3, True], "expected whole numbers"),
        ("3x224x224", "expected the shape of one sample, such as \\[3, 224, 224\\]"),
        ({}, "expected the shape of one sample"),
        ({"ids": {"shape": [4], "dtype": "int46"}}, "'ids': .*got 'int46'"),
        ({"ids": {"shape": "4"}}, "'ids': expected a 'shape' such as \\[128\\]"),
        ({"ids": {"shape": [4], "type": "int64"}}, "'ids': unknown key 'type'"),
        ({"a": {"b": {"c": "x"}}}, "'a.b.c': expected the shape"),
    ],
)
def test_what_is_no_input(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        inputs.check(value)


def test_depth_is_bounded() -> None:
    value: Any = [2]
    for _ in range(100):
        value = {"a": value}
    with pytest.raises(ValueError, match="nested too deeply"):
        inputs.check(value)

"""Models that torch exports to ONNX, against the trace of the same modules."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edgesim.graph import Graph, OpKind
from edgesim.graph.onnx import read
from edgesim.graph.trace import trace
from tests import needs
from tests.edgesim.graph.onnx.models import MODELS, after_folds, make

pytestmark = needs.ONNX.mark


def export(module: nn.Module, example: Any, path: Path, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's exporters, about themselves
        torch.onnx.export(module, (example,), str(path), **options)
    return path


def products(graph: Graph) -> Counter[object]:
    """What each product computes; the order of its two activations is the exporter's."""
    return Counter((op.kind, op.macs, op.output_elements) for op in graph if op.macs)


@pytest.mark.parametrize("name", MODELS)
def test_macs_are_exact_and_parameters_after_the_named_folds(name: str, tmp_path: Path) -> None:
    module, example = make(name)
    path = export(module, example, tmp_path / "net.onnx", dynamo=False, opset_version=17)
    graph, traced = read(path), trace(module, example)
    assert graph.macs == traced.macs
    assert graph.params == after_folds(module)
    assert graph.input_shape == traced.input_shape
    assert graph.output_elements == traced.output_elements
    assert [op.name for op in graph if op.kind is OpKind.GENERIC] == []


@needs.ONNXSCRIPT.mark
@pytest.mark.parametrize("name", ["vit", "resnet", "windows"])
@pytest.mark.parametrize("opset", [18, 23])
def test_the_newer_exporter_gives_the_same_products(name: str, opset: int, tmp_path: Path) -> None:
    module, example = make(name)
    path = export(
        module, example, tmp_path / "net.onnx", dynamo=True, opset_version=opset, verbose=False
    )
    graph, traced = read(path), trace(module, example)
    assert products(graph) == products(traced)
    assert graph.params == after_folds(module)


@pytest.mark.parametrize("opset", [14, 17, 20])
def test_operators_of_a_vit_are_those_of_its_trace(opset: int, tmp_path: Path) -> None:
    module, example = make("vit")
    path = export(module, example, tmp_path / "net.onnx", dynamo=False, opset_version=opset)
    graph, traced = read(path), trace(module, example)
    kinds = Counter(op.kind for op in graph)
    expected = Counter(op.kind for op in traced)
    if opset < 17:  # layer normalisation is written out there
        del kinds[OpKind.ELEMENTWISE], kinds[OpKind.POOL], kinds[OpKind.NORM]
        del expected[OpKind.ELEMENTWISE], expected[OpKind.NORM]
    assert kinds == expected
    named = {op.name for op in graph if op.macs and op.params}
    assert named == {op.name for op in traced if op.macs and op.params}


@pytest.mark.parametrize("name", ["vit", "resnet", "windows", "deformable"])
def test_an_open_batch_is_one_sample(name: str, tmp_path: Path) -> None:
    module, example = make(name)
    path = export(
        module, example, tmp_path / "net.onnx", dynamo=False, opset_version=17,
        input_names=["image"], dynamic_axes={"image": {0: "samples"}},
    )  # fmt: skip
    graph, traced = read(path), trace(module, example)
    assert products(graph) == products(traced)
    assert graph.input_shape == traced.input_shape


def test_a_batch_that_the_file_fixes_is_divided(tmp_path: Path) -> None:
    module, example = make("vit")
    one = export(module, example, tmp_path / "one.onnx", dynamo=False, opset_version=17)
    three = example.repeat(3, 1, 1, 1)
    many = export(module, three, tmp_path / "three.onnx", dynamo=False, opset_version=17)
    assert list(read(many)) == list(read(one))


def test_windows_are_copied(tmp_path: Path) -> None:
    module, example = make("windows")
    path = export(module, example, tmp_path / "net.onnx", dynamo=False, opset_version=17)
    whole = 8 * 8 * 16
    moved = [op for op in read(path) if op.kind is OpKind.MEMORY and op.output_elements == whole]
    assert {"transpose", "transpose_1"} <= {op.name.rpartition(".")[2] for op in moved}

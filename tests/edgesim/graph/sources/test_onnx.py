"""ONNX models by their key: the operators that the reader gives, from another process."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import onnx
from edgesim.graph.sources import SourceKeys, from_text, read
from tests import needs

if needs.ONNX.require():
    from onnx import TensorProto, helper, save


def written(path: Path) -> Path:
    """Write a product of (batch, 6) with a weight of (6, 4)."""
    value = helper.make_tensor_value_info
    weight = helper.make_tensor("w", TensorProto.FLOAT, [6, 4], [0.5] * 24)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "net",
        [value("x", TensorProto.FLOAT, ["n", 6])],
        [value("y", TensorProto.FLOAT, ["n", 4])],
        [weight],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_the_operators_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "net.onnx")
    found = read(SourceKeys(onnx="net.onnx"), tmp_path)
    assert found.graph.ops == onnx.read(path).ops
    assert (found.graph.macs, found.graph.params) == (24, 24)
    assert found.how.startswith("traced in ")
    named = read(from_text(f"onnx:{path}", input={"x": {"shape": [6], "dtype": "float16"}}))
    assert named.graph.ops == found.graph.ops


def test_a_file_that_is_none(tmp_path: Path) -> None:
    written(tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"does not exist \(did you mean 'net.onnx'\?\)"):
        read(SourceKeys(onnx="nett.onnx"), tmp_path)
    (tmp_path / "text.onnx").write_text("a model")
    with pytest.raises(InputError, match=r"onnx:\S*text.onnx: "):
        read(SourceKeys(onnx="text.onnx"), tmp_path)
    with pytest.raises(InputError, match="'arguments' belongs to 'timm' or 'torch', not to 'onnx'"):
        read(SourceKeys(onnx="net.onnx", arguments={"a": 1}), tmp_path)
    with pytest.raises(InputError, match="expected one shape, or shapes by the names"):
        read(SourceKeys(onnx="net.onnx", input=[[6], [6]]), tmp_path)

"""Reading of ONNX files: bits, shapes, files that are none, and what is refused."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesim.common.errors import InputError
from edgesim.graph import Graph, OpKind
from edgesim.graph.onnx import read
from tests import needs

if needs.ONNX.require():
    import onnx
    from onnx import TensorProto, helper, numpy_helper

FLOAT, INT8, UINT8 = TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8


def tensor(name: str, shape: tuple[int, ...], kind: Any = np.float32) -> Any:
    return numpy_helper.from_array(np.ones(shape, kind), name)


def save(
    path: Path, nodes: list[Any], constants: list[Any], *, shape: Any = (1, 8), opset: int = 17,
    domains: tuple[str, ...] = (), out: int = FLOAT, inputs: Any = None,
) -> Path:  # fmt: skip
    given = [helper.make_tensor_value_info("x", FLOAT, shape)] if inputs is None else inputs
    graph = helper.make_graph(
        nodes, "net", given, [helper.make_tensor_value_info(nodes[-1].output[0], out, None)],
        constants,
    )  # fmt: skip
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(one, 1) for one in domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    domain = attributes.pop("domain", "")
    return helper.make_node(kind, inputs.split(), [output], output, domain=domain, **attributes)


def by_name(graph: Graph) -> dict[str, Any]:
    return {op.name: op for op in graph}


SCALE, ZERO = tensor("s", ()), tensor("z", (), np.int8)


@pytest.mark.parametrize("opset", [11, 13, 17, 21, 24])
def test_a_multilayer_perceptron_by_hand(opset: int, tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "x w", "a"), node("Add", "a b", "c"), node("Relu", "c", "d"),
        node("Gemm", "d v e", "y", transB=1),
    ]  # fmt: skip
    constants = [tensor("w", (8, 6)), tensor("b", (6,)), tensor("v", (3, 6)), tensor("e", (3,))]
    graph = read(save(tmp_path / "net.onnx", nodes, constants, opset=opset))
    assert [(op.kind, op.macs, op.params) for op in graph] == [
        (OpKind.LINEAR, 48, 54), (OpKind.ACTIVATION, 0, 0), (OpKind.LINEAR, 18, 21),
    ]  # fmt: skip
    assert (graph.name, graph.input_shape, graph.output_elements) == ("net", (8,), 3)


def test_conversions_around_operators_become_their_bits(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "xq"), node("DequantizeLinear", "xq s z", "xd"),
        node("DequantizeLinear", "wq s z", "wd"), node("MatMul", "xd wd", "a"),
        node("QuantizeLinear", "a s z", "aq"), node("DequantizeLinear", "aq s z", "ad"),
        node("Relu", "ad", "r"), node("MatMul", "r v", "y"),
    ]  # fmt: skip
    constants = [SCALE, ZERO, tensor("wq", (8, 6), np.int8), tensor("v", (6, 3))]
    first, relu, last = read(save(tmp_path / "net.onnx", nodes, constants))
    assert (first.macs, first.params) == (48, 48)
    assert (first.weight_bits, first.activation_bits, first.arithmetic_bits) == (8, 8, 8)
    assert first.weight_bytes("fp32") == 48
    assert relu.activation_bits == 8
    assert (last.weight_bits, last.activation_bits) == (None, None)


def test_weights_alone_of_four_bits(tmp_path: Path) -> None:
    four = helper.make_tensor("wq", TensorProto.INT4, (8, 6), np.ones(48, np.int8).tolist())
    nodes = [node("DequantizeLinear", "wq s", "wd"), node("MatMul", "x wd", "y")]
    (op,) = read(save(tmp_path / "net.onnx", nodes, [SCALE, four], opset=21))
    assert (op.weight_bits, op.activation_bits, op.arithmetic_bits) == (4, None, None)
    assert op.weight_bytes("fp32") == 24


def test_operators_on_integers_have_their_bits(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "xq"),
        node("QLinearConv", "xq s z w s z s z b", "a", pads=[1, 1, 1, 1]),
        node("DequantizeLinear", "a s z", "y"),
    ]
    constants = [
        SCALE, ZERO, tensor("w", (4, 2, 3, 3), np.int8), tensor("b", (4,), np.int32),
    ]  # fmt: skip
    (op,) = read(save(tmp_path / "net.onnx", nodes, constants, shape=(1, 2, 5, 5)))
    assert (op.kind, op.macs) == (OpKind.CONV, 4 * 25 * 2 * 9)
    assert op.params == 4 * 2 * 9 + 4
    assert (op.weight_bits, op.activation_bits) == (8, 8)


def test_operators_of_onnx_runtimes_quantisation(tmp_path: Path) -> None:
    ms = "com.microsoft"
    nodes = [
        node("QuantizeLinear", "x s z", "xq"),
        node("QLinearMatMul", "xq s z w s z s z", "a"),
        node("QLinearAdd", "a s z a s z s z", "c", domain=ms),
        node("QLinearSigmoid", "c s z s z", "d", domain=ms),
        node("DequantizeLinear", "d s z", "y"),
    ]
    constants = [SCALE, ZERO, tensor("w", (8, 6), np.int8)]
    path = save(tmp_path / "net.onnx", nodes, constants, domains=(ms,))
    graph = read(path)
    assert [op.kind for op in graph] == [
        OpKind.LINEAR, OpKind.ELEMENTWISE, OpKind.TRANSCENDENTAL,
    ]  # fmt: skip
    assert [op.activation_bits for op in graph] == [8, 8, 8]
    assert [op.output_elements for op in graph] == [6, 6, 6]


def test_attention_as_one_operator(tmp_path: Path) -> None:
    inputs = [helper.make_tensor_value_info(name, FLOAT, (1, 2, 5, 4)) for name in "qkv"]
    path = save(
        tmp_path / "net.onnx", [node("Attention", "q k v", "y")], [], opset=23, inputs=inputs
    )
    graph = read(path)
    assert [(op.kind, op.macs) for op in graph] == [
        (OpKind.ATTENTION, 2 * 5 * 5 * 4), (OpKind.SOFTMAX, 0), (OpKind.ATTENTION, 2 * 5 * 5 * 4),
    ]  # fmt: skip
    assert graph.input_shape == (3 * 2 * 5 * 4,)


def test_sizes_that_follow_from_shapes_are_found(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "n"), node("Gather", "n zero", "b"), node("Unsqueeze", "b ax", "bs"),
        node("Concat", "bs rest", "size", axis=0), node("Reshape", "x size", "r"),
        node("MatMul", "r w", "y"),
    ]  # fmt: skip
    constants = [
        helper.make_tensor("zero", 7, (), [0]), helper.make_tensor("ax", 7, (1,), [0]),
        helper.make_tensor("rest", 7, (2,), [4, -1]), tensor("w", (2, 3)),
    ]  # fmt: skip
    (op,) = read(save(tmp_path / "net.onnx", nodes, constants, shape=("samples", 8)))
    assert op.macs == 4 * 2 * 3


def test_a_branch_whose_condition_is_known_is_taken(tmp_path: Path) -> None:
    def part(kind: str) -> Any:
        out = helper.make_tensor_value_info("o", FLOAT, None)
        return helper.make_graph([node(kind, "x", "o")], kind, [], [out])

    branch = node("If", "c", "y", then_branch=part("Relu"), else_branch=part("Sigmoid"))
    for value, kind in ((True, OpKind.ACTIVATION), (False, OpKind.TRANSCENDENTAL)):
        constants = [helper.make_tensor("c", TensorProto.BOOL, (), [value])]
        (op,) = read(save(tmp_path / "net.onnx", [branch], constants))
        assert op.kind is kind


def test_inputs_by_name_fill_open_edges(tmp_path: Path) -> None:
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ("b", "n")),
        helper.make_tensor_value_info("mask", FLOAT, ("b", "n")),
    ]
    nodes = [node("Gather", "table ids", "e"), node("ReduceSum", "e axes", "f", keepdims=0),
             node("Mul", "f mask", "y")]  # fmt: skip
    constants = [tensor("table", (50, 7)), helper.make_tensor("axes", 7, (1,), [2])]
    path = save(tmp_path / "net.onnx", nodes, constants, inputs=inputs)
    graph = read(path, {"ids": [12], "mask": [12]})
    assert [op.kind for op in graph] == [OpKind.MEMORY, OpKind.POOL, OpKind.ELEMENTWISE]
    assert (graph.params, graph.output_elements) == (350, 12)
    with pytest.raises(InputError, match=r"input 'ids' takes \?; give the open edges"):
        read(path)
    with pytest.raises(InputError, match=r"no input 'idz'; its inputs are ids, mask"):
        read(path, {"idz": [12]})
    with pytest.raises(InputError, match="by name, ids, mask"):
        read(path, [12])


def test_an_input_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Relu", "x", "y")], [], shape=("b", 3, 8))
    assert read(path, [3, 8]).input_shape == (3, 8)
    with pytest.raises(InputError, match=r"input 'x' takes 3×8 without the batch, got 3×9"):
        read(path, [3, 9])


def test_every_unknown_operator_is_named_at_once(tmp_path: Path) -> None:
    nodes = [
        node("Strange", "x", "a", domain="my.own"), node("Relu", "a", "b"),
        node("Other", "b", "c", domain="mmcv"), node("Strange", "c", "y", domain="my.own"),
    ]  # fmt: skip
    path = save(tmp_path / "net.onnx", nodes, [], domains=("my.own", "mmcv"))
    with pytest.raises(InputError, match=r"not known: my\.own\.Strange, mmcv\.Other; export"):
        read(path)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("NonZero", "x", "y")], r"`NonZero` \(node 'y'\) computes depends on the data"),
        ([node("MatMul", "x w", "y")], r"`MatMul` \(node 'y'\) do not go together"),
    ],
)
def test_what_cannot_be_counted_is_named(nodes: list[Any], message: str, tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", nodes, [tensor("w", (9, 2))])
    with pytest.raises(InputError, match=message):
        read(path)


def test_an_operator_set_that_is_too_old(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Relu", "x", "y")], [], opset=10)
    with pytest.raises(InputError, match=r"expected operator set 11 to .*, got 10"):
        read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got an empty file"),
        (b"\x80\x04\x95 pickled", "got another file"),
        (b"PK\x03\x04" + bytes(100), "got another file"),
        (b"\x08\x08", "it has no operators"),
    ],
)
def test_files_that_are_no_model(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_pickled_weights_are_refused_and_say_how_to_export(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"torch\.onnx\.export"):
        read(tmp_path / "net.pt")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(tmp_path / "net.onnx")


def test_any_cut_of_a_file_is_one_message(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "a"), node("Relu", "a", "y")]
    whole = save(tmp_path / "net.onnx", nodes, [tensor("w", (8, 6))]).read_bytes()
    path = tmp_path / "cut.onnx"
    for end in range(1, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError):
            read(path)


def test_external_data_are_not_looked_for(tmp_path: Path) -> None:
    weight = TensorProto(name="w", data_type=FLOAT, dims=[8, 6])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="absent.bin")
    path = save(tmp_path / "net.onnx", [node("MatMul", "x w", "y")], [weight])
    assert read(path).params == 48


def test_weights_in_the_file_are_never_in_memory(tmp_path: Path) -> None:
    """A file of 1 GB, most of it a hole that the weights lie in."""
    path = tmp_path / "net.onnx"
    edge = 16384
    head = save(path, [node("MatMul", "x w", "y")], [], shape=(1, edge))
    model = onnx.load(head)
    weight = TensorProto(name="w", data_type=FLOAT, dims=[edge, edge]).SerializeToString()
    size = 4 * edge * edge

    def varint(value: int) -> bytes:
        found = b""
        while value > 0x7F:
            found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
        return found + bytes([value])

    tensor_size = len(weight) + 1 + len(varint(size)) + size
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    graph_size = len(graph) + 1 + len(varint(tensor_size)) + tensor_size
    with path.open("wb") as file:
        file.write(model.SerializeToString() + b"\x3a" + varint(graph_size) + graph)
        file.write(b"\x2a" + varint(tensor_size) + weight + b"\x4a" + varint(size))
        file.truncate(file.tell() + size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read(path).params == edge * edge
    # Kilobytes; all of the weights would be a million.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000

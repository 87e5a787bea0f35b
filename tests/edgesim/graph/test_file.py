"""Graph files: every field comes back, and all that is wrong with one is said at once."""

from __future__ import annotations

import json
import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from edgesim.common.errors import EdgesimError, InputError
from edgesim.graph import ConvGeometry, Graph, MatmulGeometry, Op, OpKind, fingerprint, zoo

CONV = ConvGeometry(
    in_channels=3, out_channels=8, kernel=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2),
    groups=1, in_size=(9, 7), out_size=(5, 5), images=4,
)  # fmt: skip


def small() -> Graph:
    """A graph in which no field has its default, and ends are not those that a builder finds."""
    ops = [
        Op(
            name="stem.conv", kind=OpKind.CONV, macs=11, params=12, input_elements=13,
            output_elements=14, geometry=CONV, other_flop=15, weight_bits=4, activation_bits=8,
            density=0.25, block=(16, 32),
        ),
        Op(
            name="tête", kind=OpKind.LINEAR, macs=5, params=4, input_elements=3, output_elements=2,
            geometry=MatmulGeometry(rows=1, inner=2, columns=3, count=4),
        ),
        Op(name="sum", kind=OpKind.ELEMENTWISE, input_elements=16, output_elements=2),
    ]  # fmt: skip
    edges = [("stem.conv", "tête"), ("tête", "sum"), ("stem.conv", "sum")]
    return Graph(
        "a net", ops, edges, (3, 9, 7), input_readers=["stem.conv", "sum"],
        outputs=["tête", "sum"], source="torch:net.py:build",
    )  # fmt: skip


def document(tmp_path: Path) -> dict[str, Any]:
    small().save(tmp_path / "net.graph.json")
    made: dict[str, Any] = json.loads((tmp_path / "net.graph.json").read_text())
    return made


def refused(tmp_path: Path, content: object) -> str:
    path = tmp_path / "bad.graph.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError) as caught:
        Graph.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def assert_same(one: Graph, other: Graph) -> None:
    assert one.ops == other.ops
    assert one.content() == other.content()
    assert set(one.edges) == set(other.edges)
    assert [one.predecessors(op.name) for op in one] == [other.predecessors(op.name) for op in one]
    assert one.cut_elements == other.cut_elements
    assert one.peak_activation_elements == other.peak_activation_elements
    assert fingerprint(one) == fingerprint(other)


def test_every_field_comes_back(tmp_path: Path) -> None:
    before = small()
    before.save(tmp_path / "net.graph.json")
    after = Graph.load(str(tmp_path / "net.graph.json"))
    assert_same(before, after)
    assert (after.name, after.source) == ("a net", "torch:net.py:build")
    assert after.input_readers == ["stem.conv", "sum"]
    assert after.outputs == ["tête", "sum"]


def test_no_field_of_an_operator_is_forgotten(tmp_path: Path) -> None:
    """A new field of `Op` has to be written, too: all but the geometry stand under their names."""
    row = document(tmp_path)["ops"][0]
    given = {one.name for one in fields(Op) if getattr(small().ops[0], one.name) != one.default}
    assert row.keys() == given - {"geometry"} | {"conv"}


@pytest.mark.parametrize("name", zoo.names())
def test_models_of_the_catalog_come_back(name: str, tmp_path: Path) -> None:
    before = zoo.build(name)
    before.save(tmp_path / "net.graph.json")
    assert_same(before, Graph.load(tmp_path / "net.graph.json"))


def test_a_part_of_a_graph_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="save the whole graph"):
        small().slice(0, 2).save(tmp_path / "part.graph.json")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EdgesimError, match="cannot write"):
        small().save(tmp_path / "file" / "net.graph.json")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    content = document(tmp_path)
    first, second, third = content["ops"]
    first |= {"kind": "convolution", "macs": -1, "groups": 3}
    second["matmul"]["rows"] = 0
    del third["kind"]
    content["input_shape"] = [3, 1.5, "7"]
    lines = refused(tmp_path, content).splitlines()
    assert [re.sub(r"^\S+: ", "", line).partition(" got")[0] for line in lines] == [
        "input_shape.1: expected an integer,",
        "input_shape.2: expected an integer,",
        "ops.0.kind: expected one of linear, attention, conv, depthwise, norm, batchnorm, "
        "softmax, activation, transcendental, elementwise, pool, memory, fft, shift-linear, "
        "shift-conv, shift-depthwise, generic,",
        "ops.0.macs: expected at least 0,",
        "ops.0.groups: unknown key 'groups'; known keys: name, kind, macs, params, "
        "input_elements, output_elements, other_flop, weight_bits, activation_bits, density, "
        "block, conv, matmul, inputs",
        "ops.1.matmul.rows: expected at least 1,",
        "ops.2: expected a value for 'kind', which is not given",
    ]


def test_names_that_no_operator_has(tmp_path: Path) -> None:
    content = document(tmp_path)
    content["ops"][2]["name"] = "tête"
    content["ops"][2]["inputs"] = ["stem.cnv"]
    content["ops"][1]["conv"] = content["ops"][0]["conv"]
    content["outputs"] = ["sum"]
    message = refused(tmp_path, content)
    assert "ops.1.name: 2 operators are named 'tête'" in message
    assert "ops.1: expected one of 'conv' and 'matmul', got both" in message
    assert "ops.2.inputs.0: no operator is named 'stem.cnv' (did you mean 'stem.conv'?)" in message
    assert "outputs.0: no operator is named 'sum'" in message


def test_operators_that_wait_for_each_other(tmp_path: Path) -> None:
    content = document(tmp_path)
    content["ops"][0]["inputs"] = ["sum"]
    assert "cycle: stem.conv → " in refused(tmp_path, content)


@pytest.mark.parametrize("schema", [2, 0, "1", None, True])
def test_another_version_is_one_message(schema: object, tmp_path: Path) -> None:
    content = document(tmp_path) | {"schema": schema, "ops": 3}
    message = refused(tmp_path, content)
    assert len(message.splitlines()) == 1
    assert "this edgesim reads schema 1: write it anew with `edgesim trace" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty; expected a graph"),
        ("ops: 3", "is no JSON; expected a graph that `edgesim trace` wrote"),
        ("[" * 100_000, "is no JSON"),
        (
            "[]",
            "expected a graph that `edgesim trace` wrote, a mapping of kind 'graph', got a list",
        ),
        (
            {"schema": 1, "name": "a result"},
            "a mapping of kind 'graph', got a mapping without 'kind'",
        ),
    ],
)
def test_files_that_are_no_graph(content: object, words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, content)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    small().save(tmp_path / "net.graph.json")
    with pytest.raises(InputError, match=r"nat.graph.json does not exist \(did you mean 'net"):
        Graph.load(tmp_path / "nat.graph.json")
    with pytest.raises(InputError, match="is a folder; expected a graph file"):
        Graph.load(tmp_path)
    os.mkfifo(tmp_path / "pipe.graph.json")
    with pytest.raises(InputError, match="is no regular file"):
        Graph.load(tmp_path / "pipe.graph.json")


@pytest.mark.parametrize("number", ["1e400", "NaN", "9" * 4000, str(1 << 62)])
def test_numbers_that_no_graph_has(number: str, tmp_path: Path) -> None:
    text = json.dumps(document(tmp_path)).replace('"macs": 11', f'"macs": {number}')
    assert "bad.graph.json" in refused(tmp_path, text)

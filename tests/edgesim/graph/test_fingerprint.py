"""One model, one fingerprint: whatever a name is, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgesim import artifact
from edgesim.graph import ConvGeometry, Graph, MatmulGeometry, Op, OpKind, fingerprint
from edgesim.graph.mlp import mlp
from tests.edgesim.command import ROOT

CONV = ConvGeometry(
    in_channels=1, out_channels=2, kernel=(3, 3), stride=(1, 1), padding=(1, 1), dilation=(1, 1),
    groups=1, in_size=(8, 8), out_size=(8, 8),
)  # fmt: skip
OPS = (
    Op(name="a", kind=OpKind.CONV, macs=1152, params=20, input_elements=64, output_elements=128,
       geometry=CONV),
    Op(name="b", kind=OpKind.LINEAR, macs=1280, params=1290, input_elements=128,
       output_elements=10, geometry=MatmulGeometry(rows=1, inner=128, columns=10)),
    Op(name="c", kind=OpKind.ELEMENTWISE, input_elements=20, output_elements=10),
)  # fmt: skip
EDGES = (("a", "b"), ("b", "c"))


def graph(*ops: Op, edges: tuple[tuple[str, str], ...] = EDGES, name: str = "g") -> Graph:
    return Graph(name, ops, edges, (1, 8, 8))


def test_names_do_not_count() -> None:
    named = tuple(replace(op, name=op.name.upper()) for op in OPS)
    other = graph(*named, edges=(("A", "B"), ("B", "C")), name="other")
    assert fingerprint(other) == fingerprint(graph(*OPS))


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("field", ["macs", "params", "input_elements", "output_elements"])
def test_every_count_of_every_operator_does(index: int, field: str) -> None:
    ops = list(OPS)
    ops[index] = replace(ops[index], **{field: getattr(ops[index], field) + 1})
    assert fingerprint(graph(*ops)) != fingerprint(graph(*OPS))


def test_kind_geometry_data_and_input_do() -> None:
    whole = fingerprint(graph(*OPS))
    kind = (OPS[0], OPS[1], replace(OPS[2], kind=OpKind.MEMORY))
    shape = (replace(OPS[0], geometry=replace(CONV, padding=(0, 0))), *OPS[1:])
    assert fingerprint(graph(*kind)) != whole
    assert fingerprint(graph(*shape)) != whole
    assert fingerprint(graph(*OPS, edges=(*EDGES, ("a", "c")))) != whole
    assert fingerprint(Graph("g", OPS, EDGES, (1, 4, 16))) != whole


def test_parts_of_equal_shape_share_one() -> None:
    five = artifact.load(ROOT / "examples" / "fashion-5")
    shapes = {(part.graph.macs, part.graph.params) for part in five.parts}
    assert len({fingerprint(part.graph) for part in five.parts}) == len(shapes)
    widths = [op.geometry for op in five.fusion.ops if isinstance(op.geometry, MatmulGeometry)]
    alike = mlp("another", (widths[0].inner, *(one.columns for one in widths)))
    assert fingerprint(five.fusion) == fingerprint(alike)

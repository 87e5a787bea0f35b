"""Loading a graph file: a scenario that names one should not wait for it."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

from edgesim.graph import ConvGeometry, Graph, Op, OpKind

OPERATORS = 1000
LONGEST_S = 0.020


def test_a_thousand_operators_load_in_twenty_milliseconds(tmp_path: Path) -> None:
    """Processor time, the best of ten: what else the machine does is not counted."""
    geometry = ConvGeometry(
        in_channels=64, out_channels=64, kernel=(3, 3), stride=(1, 1), padding=(1, 1),
        dilation=(1, 1), groups=1, in_size=(56, 56), out_size=(56, 56),
    )  # fmt: skip
    ops = [
        Op(name=f"blocks.{index}.conv", kind=OpKind.CONV, macs=9, params=9, geometry=geometry)
        for index in range(OPERATORS)
    ]
    edges = [(one.name, other.name) for one, other in pairwise(ops)]
    path = tmp_path / "long.graph.json"
    Graph("long", ops, edges, (64, 56, 56)).save(path)
    took_s = []
    for _ in range(10):
        begun_s = time.process_time()
        assert len(Graph.load(path)) == OPERATORS
        took_s.append(time.process_time() - begun_s)
    print(f"{OPERATORS:,} operators load in {min(took_s) * 1e3:.1f} ms")
    assert min(took_s) < LONGEST_S

"""Loading a graph file: a scenario that names one should not wait for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgesim.graph import ConvGeometry, Graph, Op, OpKind
from tests.benchmarks import ratios

OPERATORS = 1000


def shortest_s(work: Callable[[], Any]) -> float:
    """Processor time, the best of ten: what else the machine does is not counted."""
    took_s = []
    for _ in range(10):
        begun_s = time.process_time()
        work()
        took_s.append(time.process_time() - begun_s)
    return min(took_s)


def test_a_thousand_operators_load_beside_their_json(tmp_path: Path) -> None:
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
    assert len(Graph.load(path)) == OPERATORS
    load_s = shortest_s(lambda: Graph.load(path))
    json_s = shortest_s(lambda: json.loads(path.read_bytes()))
    print(f"\n{OPERATORS:,} operators: {load_s * 1e3:.1f} ms, bare JSON {json_s * 1e3:.1f} ms")
    ratios.check({"a graph file of a thousand operators beside its bare JSON": json_s / load_s})

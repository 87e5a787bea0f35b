"""What is said of a model that was read, and only where it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgesim.graph import Graph, OpKind, zoo
from edgesim.graph.sources import Source
from edgesim.report import model_tables
from edgesim.report.model_notes import notes_on


def source(graph: Graph, *notes: str, kind: str = "name") -> Source:
    return Source(graph, kind, notes=notes)


def with_kind(graph: Graph, name: str, kind: OpKind, **more: object) -> Graph:
    ops = [replace(op, kind=kind, **more) if op.name == name else op for op in graph]
    return graph.with_ops(ops)


@pytest.mark.parametrize("name", ["resnet18", "deit_small_patch16_224", "mobilenetv2_100"])
def test_nothing_is_said_of_a_model_of_a_family_with_published_times(name: str) -> None:
    assert notes_on(source(zoo.build(name))) == []
    assert "notes" not in model_tables.traced(source(zoo.build(name)))


def test_a_family_that_was_in_no_fit_is_named() -> None:
    graph = zoo.build("resnet18").with_ops(zoo.build("resnet18").ops)
    graph.name = "densenet121"
    (note,) = notes_on(source(graph))
    assert "the family 'densenet' was published" in note
    assert model_tables.traced(source(graph))["notes"] == [note]
    # A user's own names say nothing of a family; a stored graph of timm does.
    assert notes_on(source(graph, kind="torch")) == notes_on(source(graph, kind="graph")) == []
    graph.source = "timm:densenet121, timm 1.0.31"
    assert notes_on(source(graph, kind="graph")) == [note]


def test_kinds_and_operators_that_were_in_no_fit_are_named() -> None:
    graph = with_kind(zoo.build("resnet18"), "fc", OpKind.SHIFT_LINEAR)
    assert notes_on(source(graph)) == [
        "no device here was fitted to the kind shift-linear (1 operator): it takes the efficiency "
        "of linear"
    ]
    graph = with_kind(zoo.build("resnet18"), "maxpool", OpKind.GENERIC)
    assert notes_on(source(graph)) == [
        "no rule says what these operators compute; their bytes alone count: maxpool"
    ]


def test_the_notes_of_a_trace_come_first() -> None:
    graph = zoo.build("resnet18")
    assert notes_on(source(graph, "merged for deployment: 1 x A.fuse")) == [
        "merged for deployment: 1 x A.fuse"
    ]

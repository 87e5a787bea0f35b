"""What is told of layers on processors, on devices in files, and on kinds that plug-ins add."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from rich.console import Console

from edgesim.common.errors import InputError
from edgesim.graph import Graph, zoo
from edgesim.hardware import Cost, Device, catalog, spec
from edgesim.report import device_layers

PI = "raspberry-pi-4b"
FILE = """
peak: {fp32: 10 GFLOP/s}
memory: {bandwidth: 1 GB/s}
launch_overhead: 1 ms
power: {idle: 1 W, busy: 3 W}
"""


def printed(what: device_layers.Explained, width: int = 100) -> str:
    file = io.StringIO()
    device_layers.show(what, Console(file=file, width=width, highlight=False))
    return file.getvalue()


@pytest.mark.parametrize("batch", [1, 8])
def test_the_kernels_of_a_model_make_its_cost(batch: int) -> None:
    document = device_layers.explain(PI, "resnet18", None, batch=batch).document
    graph, rows = zoo.build("resnet18"), document["layers"]
    cost = catalog.device(PI).graph_cost(graph, "fp32", batch)
    assert document["time_s"] == cost.time_s
    assert math.fsum(row["time_s"] for row in rows) == pytest.approx(cost.time_s, rel=1e-12)
    energy_j = math.fsum(row["energy_j"] for row in rows)
    assert energy_j == pytest.approx(cost.time_s * cost.power_w, rel=1e-12)
    assert math.fsum(row["flop"] for row in rows) == 2 * graph.macs * batch == document["flop"]
    assert math.fsum(row["share"] for row in rows) == pytest.approx(1.0, rel=1e-12)
    assert {name for row in rows for name in row["operators"]} == {op.name for op in graph}
    json.dumps(document, allow_nan=False)


def test_a_kernel_by_hand_from_a_file(tmp_path: Path) -> None:
    """512 x 1000 weights and 1,512 activations of 4 B at 1 GB/s, 1,024,000 FLOP at 10 GFLOP/s."""
    path = tmp_path / "mine.yaml"
    path.write_text(FILE, encoding="utf-8")
    told = device_layers.explain(str(path), "resnet18", "fc")
    document = told.document
    # The bias is read, too.
    memory_s = 4e-9 * (512_000 + 1_000 + 1_512)
    assert document["memory_s"] == pytest.approx(memory_s, rel=1e-12)
    assert document["compute_s"] == pytest.approx(102.4e-6, rel=1e-12)
    assert document["time_s"] == pytest.approx(memory_s + 1e-3, rel=1e-12)
    assert document["limit"] == "memory"
    assert document["energy_j"] == pytest.approx(3.0 * memory_s + 1.0 * 1e-3, rel=1e-12)
    text = printed(told)
    assert "linear: 3.06 ms, bound by memory" in text
    assert "launch      of one kernel" in text
    path.write_text(FILE.replace("1 ms", "5 ms"), encoding="utf-8")
    assert device_layers.explain(str(path), "resnet18", "fc").document["limit"] == "launch"


@pytest.mark.parametrize("operator", [None, "layer1.0.bn1"])
@pytest.mark.parametrize("width", [80, 100, 120])
def test_tables_fit_and_cut_nothing(width: int, operator: str | None) -> None:
    text = printed(device_layers.explain(PI, "resnet18", operator), width)
    assert max(map(len, text.split("\n"))) <= width
    assert "…" not in text


def test_a_fused_operator_is_told_with_its_kernel() -> None:
    document = device_layers.explain(PI, "resnet18", "layer1.0.bn1").document
    assert document["operators"] == ["layer1.0.conv1", "layer1.0.bn1", "layer1.0.act1"]
    assert document["kinds"] == ["conv", "batchnorm", "activation"]


def test_a_model_that_was_timed_says_so() -> None:
    from dataclasses import replace

    from edgesim.graph import fingerprint
    from edgesim.hardware.processor import Measured, Processor

    device, graph = catalog.device(PI), zoo.build("resnet18")
    assert isinstance(device, Processor)
    timed = Measured(
        model="m", operators=fingerprint(graph), precision="fp32", batch=1, time_s=0.5, runs=9
    )
    found = replace(device, measured=(timed,)).explain(graph, "fp32")
    assert found.time_s == 0.5
    assert "timed as a whole, in place of the 232 ms of its kernels" in found.time_note


@spec
@dataclass(frozen=True, kw_only=True)
class Constant(Device):
    """A kind that answers only what it must."""

    kind: Literal["constant"] = "constant"

    def precisions(self) -> tuple[str, ...]:
        return ("fp32",)

    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        return Cost(time_s=0.25, power_w=8.0)

    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        return Cost(time_s=0.25, power_w=8.0)


def test_a_kind_that_knows_only_graphs_is_told_as_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    device, graph = Constant(name="c"), zoo.build("resnet18")
    monkeypatch.setattr(device_layers, "find_device", lambda _: device)
    told = device_layers.explain("c", "resnet18", None)
    (row,) = told.document["layers"]
    assert (row["time_s"], row["energy_j"]) == (0.25, 2.0)
    assert row["operators"] == [op.name for op in graph]
    assert "Energy 2.00 J a sample" in printed(told)
    with pytest.raises(InputError, match="'c' of kind constant tells nothing of single layers"):
        device_layers.explain("c", "resnet18", "fc")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((PI, "resnet18", "layr1.0.conv1"), r"of resnet18 \(did you mean 'layer1.0.conv1'"),
        ((PI, None, "fc"), "name both"),
        (("raspberry-pi-4", "resnet18", None), "did you mean 'raspberry-pi-4b'"),
        (("no/such.yaml", "resnet18", None), "no/such.yaml"),
    ],
)
def test_what_cannot_be_told_says_why(
    words: tuple[str, str | None, str | None], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        device_layers.explain(*words)


def test_what_has_no_picture_is_not_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no planes to draw"):
        device_layers.explain(PI, "resnet18", "fc", out=tmp_path / "x.svg")
    assert not list(tmp_path.iterdir())

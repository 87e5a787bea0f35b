"""The catalog: every figure has a source, every source a figure, and estimates say so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from edgesim.common.errors import InputError
from edgesim.graph import zoo
from edgesim.graph.builder import Builder
from edgesim.hardware import Device, catalog
from edgesim.hardware.processor import Processor
from tests.edgesim.command import environment

DEVICES = catalog.names()
PROCESSORS = catalog.names("processor")
NO_FIGURES = ("kind", "description", "source", "published")

# Where figures come from. A new origin belongs in this list, an invention is an ``estimate``.
ORIGINS = (
    "derived", "data sheet", "documentation", "whitepaper", "Intel ARK", "sbc-bench",
    "top500-benchmark", "power benchmarks", "profile logs", "cnx-software.com",
    "nationalpcbuilder.com", "floor of the developer kit", "one GPU, which runs one kernel",
    "scaled_dot_product_attention", "TFLite folds", "TensorRT folds", "fitted to",
    "Lightening-Transformer simulator", "FatNet, arXiv", "Albireo (ISCA 2021)",
)  # fmt: skip


def leaves(value: object, path: str = "") -> list[str]:
    if isinstance(value, Mapping):
        return [
            leaf
            for key, inside in value.items()
            for leaf in leaves(inside, f"{path}.{key}" if path else str(key))
        ]
    return [path]


def figures(entry: Mapping[str, Any]) -> list[str]:
    return leaves({key: entry[key] for key in entry if key not in NO_FIGURES})


def around(path: str) -> list[str]:
    keys = path.split(".")
    return [".".join(keys[:length]) for length in range(1, len(keys) + 1)]


def test_what_was_asked_for_is_there() -> None:
    assert set(DEVICES) >= {
        "raspberry-pi-zero-2-w", "raspberry-pi-3b-plus", "raspberry-pi-4b", "raspberry-pi-5",
        "jetson-nano", "jetson-xavier-nx", "jetson-orin-nano", "jetson-agx-orin",
        "nvidia-rtx-3090", "nvidia-rtx-4090", "nvidia-rtx-5090", "nvidia-a100", "nvidia-v100",
        "nvidia-t4", "nvidia-l4", "nvidia-h100", "intel-i7-12700h",
    }  # fmt: skip


@pytest.mark.parametrize("name", DEVICES)
def test_every_written_figure_has_a_source_of_its_own(name: str) -> None:
    written = catalog.written(name)
    assert set(figures(written)) == set(written["source"])


@pytest.mark.parametrize("name", DEVICES)
def test_every_figure_of_an_entry_has_a_source_and_no_source_dangles(name: str) -> None:
    entry = catalog.entry(name)
    paths = figures(entry)
    for path in paths:
        assert any(key in entry["source"] for key in around(path)), path
    inner = {key for path in paths for key in around(path)}
    assert set(entry["source"]) <= inner


@pytest.mark.parametrize("name", DEVICES)
def test_a_source_names_where_a_figure_is_from_or_is_an_estimate(name: str) -> None:
    for path, source in catalog.entry(name)["source"].items():
        known = source.startswith("estimate") or any(origin in source for origin in ORIGINS)
        assert known, f"{path}: {source}"


@pytest.mark.parametrize("name", DEVICES)
def test_published_figures_have_a_source_and_those_not_fitted_a_reason(name: str) -> None:
    for published in catalog.published(name):
        assert published.source
        assert published.runtime
        assert published.fit or published.note
        assert published.model in zoo.names()


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_fitted_share_that_no_row_tells_of_is_an_estimate(name: str) -> None:
    found = json.loads((files("edgesim.hardware.catalog") / "fitted.json").read_text("utf-8"))
    entry = catalog.entry(name)
    assert set(found) == set(PROCESSORS)
    assert set(found[name]["efficiency"]) == set(entry["peak"])
    for precision, rows in found[name]["rows"].items():
        if not rows:
            assert entry["source"][f"efficiency.{precision}"].startswith("estimate")
        for kind in found[name]["usual"][precision]:
            assert entry["source"][f"efficiency.{precision}.{kind}"].startswith("estimate")


@pytest.mark.parametrize("name", PROCESSORS)
def test_processors_are_whole(name: str) -> None:
    device = catalog.device(name)
    assert isinstance(device, Processor)
    assert isinstance(device, Device)
    assert device.name == name
    assert 0 < device.power.idle_w < device.power.busy_w
    assert 2**28 < device.memory_capacity_bytes < 2**38
    assert device.messaging.per_message_s > 0
    for precision in device.precisions():
        cost = device.graph_cost(zoo.build("mobilenetv2_100"), precision)
        # Between a hundredth of a millisecond and a second for a third of a GMAC.
        assert 1e-5 < cost.time_s < 1.0
        assert device.power.idle_w < cost.power_w <= device.power.busy_w


def test_an_h100_multiplies_matrices_as_fast_as_one_was_seen_to() -> None:
    """798 TFLOP/s in an 8192³ product, measured; no row of an H100 is published or fitted."""
    side = 8192
    build = Builder("product", (side,))
    build.linear("fc", (), rows=side, features=(side, side), bias=False)
    cost = catalog.device("nvidia-h100").graph_cost(build.graph(), "fp16")
    assert 2 * side**3 / cost.time_s == pytest.approx(798e12, rel=0.1)


def test_unknown_devices_name_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'raspberry-pi-4b'"):
        catalog.entry("raspberry-pi-4")


PLUGIN = """
from dataclasses import dataclass
from typing import Annotated, Literal
from edgesim.hardware import Device, Cost, Power, key, spec


@spec
@dataclass(frozen=True, kw_only=True)
class Abacus(Device):
    kind: Literal["abacus"] = "abacus"
    beads_per_s: Annotated[float, key("beads_per_s")]

    @property
    def power(self):
        return Power(idle_w=1.0, busy_w=3.0)

    def precisions(self):
        return ("fp32",)

    def graph_cost(self, graph, precision, batch=1):
        return Cost(time_s=2 * graph.macs * batch / self.beads_per_s, power_w=3.0)

    def flop_cost(self, flop, precision, cores=None):
        return Cost(time_s=flop / self.beads_per_s, power_w=3.0)


class Counter:
    # As plug-ins once wrote a kind.

    @staticmethod
    def spec(): ...

    @classmethod
    def from_spec(cls, name, spec): ...
"""

SCENARIO = """
name: counting-house
seed: 1
model: {name: resnet18}
placement: {strategy: single}
nodes:
  clerk: {device: {kind: abacus, beads_per_s: 3628146688}}
network:
  switch: {bandwidth: 1 Gbit/s, latency: 0 s}
traffic: {arrivals: closed, concurrency: 1, requests: 20}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a distribution installed in it, as pip leaves one."""
    (tmp_path / "abacus_kind.py").write_text(PLUGIN, encoding="utf-8")
    info = tmp_path / "abacus_kind-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus-kind\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[edgesim.devices]\nabacus = abacus_kind:Abacus\nbroken = abacus_kind:Nothing\n"
        "old = abacus_kind:Counter\n"
    )
    (info / "RECORD").write_text("abacus_kind.py,,\n")
    return tmp_path


def test_an_installed_distribution_adds_a_kind(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "abacus" not in catalog.kind_names()
    monkeypatch.syspath_prepend(str(site))
    assert set(catalog.kind_names()) >= {"abacus", "broken", "processor"}
    device = catalog.from_mapping("mine", {"kind": "abacus", "beads_per_s": 4.0})
    assert isinstance(device, Device)
    assert (device.name, device.kind) == ("mine", "abacus")
    assert device.flop_cost(8.0, "fp32").time_s == 2.0
    with pytest.raises(InputError, match="device 'mine': expected a value for 'beads_per_s'"):
        catalog.from_mapping("mine", {"kind": "abacus"})
    with pytest.raises(InputError, match="'broken' is registered as abacus_kind:Nothing"):
        catalog.from_mapping("mine", {"kind": "broken"})
    with pytest.raises(InputError, match="abacus_kind:Counter, expected a dataclass that inh"):
        catalog.from_mapping("mine", {"kind": "old"})
    with pytest.raises(InputError, match="unknown key 'name'"):
        catalog.from_mapping("mine", {"kind": "abacus", "beads_per_s": 4.0, "name": "yours"})
    with pytest.raises(InputError, match="did you mean 'abacus'"):
        catalog.from_mapping("mine", {"kind": "abacuss"})


def test_a_scenario_runs_on_a_kind_that_a_distribution_adds(site: Path, tmp_path: Path) -> None:
    """ResNet-18, 1,814,073,344 MACs, at as many beads a second times two: one second each."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "edgesim", "run", str(scenario), "--json"],
        env=environment(site),
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["latency_s"]["mean"] == pytest.approx(1.0, rel=1e-9)
    assert summary["nodes"]["clerk"]["energy_j"] == pytest.approx(20 * 3.0, rel=1e-9)


def test_a_field_or_a_property_stands_in_place_of_an_answer() -> None:
    from dataclasses import dataclass, fields
    from typing import Literal

    from edgesim.hardware import Cooling, Cost, Messaging, Power, spec

    @spec
    @dataclass(frozen=True, kw_only=True)
    class Kind(Device):
        kind: Literal["kind"] = "kind"
        cores: int
        cooling: Cooling = Cooling(share=0.5)  # noqa: RUF009

        @property
        def power(self) -> Power:
            return Power(idle_w=1.0, busy_w=2.0)

        def precisions(self) -> tuple[str, ...]:
            return ("fp32",)

        def graph_cost(self, graph: object, precision: str, batch: int = 1) -> Cost:
            return Cost(time_s=1.0, power_w=1.0)

        def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
            return Cost(time_s=1.0, power_w=1.0)

    device = Kind(cores=3)
    assert (device.cores, device.cooling.share, device.power.busy_w) == (3, 0.5, 2.0)
    assert (device.messaging, device.thermal, device.spread) == (Messaging(), None, ())
    assert device.memory_capacity_bytes == float("inf")
    assert [one.name for one in fields(Kind)][-2:] == ["cores", "cooling"]
    with pytest.raises(TypeError, match="cores"):
        Kind()  # type: ignore[call-arg]
    for wrong, told in (({"batch": 0}, "batch of at least 1"), ({"cores": 4}, "expected 1 to 3")):
        with pytest.raises(InputError, match=told):
            device.check("fp32", **wrong)

"""The result's JSON Schema: real results are valid, and no key is without a place in it."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from edgesim import api
from edgesim.hardware import Faults, Outage
from edgesim.results.metrics import SCALARS
from edgesim.results.summary import SUMMARY, schema
from edgesim.scenario.scenario import Baseline
from edgesim.simulate.arrivals import Periodic
from tests.edgesim.cases import POWER, play, scenario
from tests.edgesim.command import ROOT, document, edgesim
from tests.edgesim.simulate.models import Flops

EXAMPLES = ROOT / "examples"
VALID = jsonschema.Draft202012Validator(schema())


def paths(value: Any, path: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from paths(one, (*path, key))
    else:
        yield path


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    ("file", "overrides"),
    [
        ("five-pis.yaml", ["traffic.requests=60"]),
        ("replicate-mlperf-server.yaml", ["traffic.requests=60"]),
        ("fashion-five-pis.yaml", ["traffic.requests=20", "replications=2"]),
        ("faults/battery.yaml", []),
        ("faults/reassign.yaml", []),
        ("faults/links.yaml", []),
        ("pis-with-light.yaml", ["traffic.requests=60", "traffic.warmup=0"]),
    ],
)
def test_results_of_examples_are_valid(file: str, overrides: list[str]) -> None:
    result = api.run(api.load(EXAMPLES / file, overrides=overrides))
    VALID.validate(json.loads(json.dumps(result.summary, allow_nan=False)))


def test_a_result_without_an_answer_is_valid() -> None:
    down = Faults(schedule=(Outage(at_s=0.0, duration_s=1e9),))
    traffic = Periodic(rate_per_s=1.0, requests=3)
    lost = scenario(node_options={"faults": down}, traffic=traffic)
    summary = play(lost).summary
    assert summary["latency_s"]["mean"] is None
    assert summary["faults"]["availability"] == 0.0
    VALID.validate(summary)


def test_a_baseline_that_does_not_fit_is_valid() -> None:
    small = Flops(rate=60.0, power=POWER, memory_capacity_bytes=-1.0)
    summary = play(baselines=(Baseline(name="small", device=small, precision="fp32"),)).summary
    assert summary["baselines"]["small"]["misfit_bytes"] > 0.0
    VALID.validate(summary)


def test_another_key_and_a_missing_one_are_not_valid() -> None:
    summary = dict(play().summary)
    assert VALID.is_valid(summary)
    assert not VALID.is_valid({**summary, "latency_ms": 1.0})
    del summary["throughput_per_s"]
    assert not VALID.is_valid(summary)


def test_every_metric_says_its_unit_and_meaning() -> None:
    names = set()
    for path, metric in SUMMARY.walk():
        assert path not in names
        names.add(path)
        assert metric.meaning.endswith("."), path
        assert metric.unit in ("", "s", "/s", "J", "B", "°C"), path
        ends = {"_s": "s", "_per_s": "/s", "_j": "J", "_j_per_request": "J", "bytes": "B"}
        for place in (path[-1], path[0] if path[0] not in ("nodes", "links") else path[-1]):
            found = [unit for end, unit in ends.items() if place.endswith(end)]
            if found and metric.kind in SCALARS:
                assert metric.unit == found[-1], path


def test_a_summary_has_the_keys_of_the_registry_in_its_order() -> None:
    summary = api.run(
        api.load(EXAMPLES / "five-pis.yaml", overrides=["traffic.requests=20"])
    ).summary
    top = [part.name for part in SUMMARY.parts if not getattr(part, "optional", False)]
    assert list(summary) == top
    node = [part.name for part in SUMMARY.part("nodes").parts if not part.optional]
    assert list(summary["nodes"]["hub"]) == node


def test_the_command_prints_it() -> None:
    assert document(edgesim("schema", "--result", "--json").stdout) == schema()

"""The JSON Schema, by the jsonschema library, in agreement with what reading a file says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edgesim.cli.scenarios import Starter, starter_text
from edgesim.common.errors import InputError
from edgesim.scenario import from_mapping
from edgesim.scenario.document import parse
from edgesim.scenario.json_schema import schema
from tests.edgesim.scenario.cases import BASE, TASKS, changed

EXAMPLES = [  # that are scenarios: a study names one as its base
    path for path in sorted(Path("examples").glob("*.yaml")) if "\nbase:" not in path.read_text()
]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    made = schema()
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def test_it_is_strict_json_of_a_size_that_editors_take() -> None:
    # What editors fetch and keep: a fiftieth of what slows them down.
    assert len(json.dumps(schema(), allow_nan=False)) < 160 * 1024


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid(path: Path, validator: Draft202012Validator) -> None:
    validator.validate(parse(path.read_text()).data)


def test_every_key_is_described_by_a_noun_phrase() -> None:
    made = schema()
    parts = [made, *made["$defs"].values()]
    parts += [choice for part in parts for choice in part.get("anyOf", ())]
    # A phrase that begins so leaves the thing itself unsaid: "of the cluster, by name".
    unsaid = {
        "a", "as", "at", "before", "by", "for", "from", "give", "how", "if", "in", "instead", "is",
        "it", "of", "on", "over", "stop", "that", "the", "to", "until", "use", "what", "when",
        "where", "which", "with", "without",
    }  # fmt: skip
    count = 0
    for part in parts:
        for key, one in part.get("properties", {}).items():
            if isinstance(one, dict) and "const" not in one:
                first = one.get("description", "").partition(" ")[0]
                assert first, (part.get("title"), key)
                assert first not in unsaid, (part.get("title"), key, one["description"])
                count += 1
    assert count > 200


def test_the_starters_and_its_own_example_are_valid(validator: Draft202012Validator) -> None:
    starters = [parse(starter_text(one)).data for one in Starter]
    for data in (*starters, schema()["examples"][0]):
        validator.validate(data)
        from_mapping(data)


def accepted(data: Any) -> bool:
    try:
        from_mapping(data)
    except InputError:
        return False
    return True


RIGHT = [
    (BASE, "0.5/s", "2"),
    (BASE, "0.5/s", "30/min"),
    (BASE, "0.5/s", "1e-3 kHz"),
    (BASE, "0.5/s", "2 qps"),
    (BASE, "1 Gbit/s", "1 Gb/s"),
    (BASE, "1 Gbit/s", "100 MBps"),
    (BASE, "rate: 0.5/s, requests: 10", "requests: 3, rate: 1_000/s, warmup: 2, samples: 4"),
    (BASE, "poisson, rate: 0.5/s", "closed, concurrency: 3"),
    (BASE, "poisson, rate: 0.5/s, requests: 10", "trace, times: [0, 1 ms, 2 s]"),
    (BASE, "poisson, rate: 0.5/s", "single-stream, min_duration: 1 min"),
    (BASE, "poisson, rate: 0.5/s", "multi-stream, latency_bound: 50 ms, samples: 8"),
    (BASE, "poisson", "server, latency_bound: 15 ms"),
    (BASE, "poisson, rate: 0.5/s", "offline"),
    (BASE, "count: 2", "count: 2, queue: priority, batch: {max: 4, wait: 3 ms}"),
    (BASE, "count: 2", "count: 2, address: [a:1, b:2]"),
    (BASE, "count: 2", "count: 2, variability: exponential"),
    (BASE, "count: 2", "count: 2, variability: {kind: lognormal, cv: 20 %}"),
    (BASE, "count: 2", "count: 2, faults: {mtbf: 1 h, mttr: 1 min}"),
    (BASE, "count: 2", "count: 2, faults: {schedule: [{at: 1, duration: 2}]}"),
    (BASE, "count: 2", "count: 2, faults: {mtbf: 1 h, mttr: 1 min, shape: 2, repair_shape: 0.5}"),
    (BASE, "count: 2", "count: 2, restart: 5 s, ambient: 30 °C, exhaustion: {leak: 1 MB}"),
    (BASE, "count: 2", "count: 2, battery: {capacity: 10 Wh, charge: 50 %, recharge: 2 W}"),
    (BASE, "0.25 ms}", "0.25 ms, loss: 1 %, faults: {mtbf: 1 h, mttr: 1 s}}"),
    (BASE, "traffic:", "faults: {schedule: [{at: 1, duration: 2, node: hub, kind: freeze}, "
     "{at: 1, duration: 2, node: pi-0, kind: slow, speed: 20 %}, "
     "{at: 1, duration: 2, link: hub-switch, kind: cut}, "
     "{at: 9, duration: 2, link: hub-switch, kind: degrade, loss: 1 %}]}\ntraffic:"),
    (BASE, "traffic:", "recovery: {deadline: 1 s, retry: {attempts: 2, timeout: 1 s}, hedge: "
     "{after: 1 ms}, standby: [pi-1], reassign: {after: 1 s}, degrade: false, health: {}}\n"
     "traffic:"),
    (BASE, "device: raspberry-pi-5", "device: {peak: {fp32: 1 TFLOP/s}, cores: 2}"),
    (BASE, "classes: 10", "classes: 7, depth: 3, heads: 2, width: 64"),
    (BASE, "single", "pipeline, objective: latency, nodes: [pi]"),
    (BASE, "single", "class-wise, submodels: 2, heads: 1, fusion: hub, memory_budget: 90 MB"),
    (BASE, "switch: {bandwidth: 1 Gbit/s, latency: 0.25 ms}",
     "wifi: {bandwidth: 1 MB/s, energy_per_byte: 5 nJ/bit, power: 2 W}"),
    (BASE, "name: small", "seed: 18446744073709551615\nreplications: 3\n"
     "baselines: [{device: raspberry-pi-5, name: x, precision: int8}]"),
    (TASKS, "memory: 10 MB", "memory: 10 MB, optional: true, priority: -3, cores: 1"),
    (TASKS, "duplex", "duplex"),
    (TASKS, "1 ms, ends: [A, B]}}", "1 ms, duplex: shared}}\n  routes: [{from: A, to: B, links: "
     "[ab]}]"),
]  # fmt: skip

WRONG = [
    (BASE, "name: small", "nam: small"),
    (BASE, "1 Gbit/s", "125000000"),
    (BASE, "1 Gbit/s", "'125000000'"),
    (BASE, "1 Gbit/s", "100 mbps"),
    (BASE, "name: small", "name: a/b"),
    (BASE, "name: small", "name: ''"),
    (BASE, "name: small", "seed: -1"),
    (BASE, "name: small", "seed: 1.5"),
    (BASE, "name: small", "seed: '7'"),
    (BASE, "name: small", "replications: 0"),
    (BASE, "traffic: {arrivals: poisson, rate: 0.5/s, requests: 10}", ""),
    (BASE, "vit_tiny_patch16_224", "vit_tiny"),
    (BASE, "classes: 10", "classes: 0"),
    (BASE, "classes: 10", "classes: ten"),
    (BASE, "classes: 10", "precision: fp33"),
    (BASE, "classes: 10", "tasks: {a: {flop: 1, node: hub}}"),
    (BASE, "classes: 10", "transfers: []\n, artifact: x"),
    (BASE, "single", "singel"),
    (BASE, "single", "single, heads: 2"),
    (BASE, "single", "single, objective: latency"),
    (BASE, "single", "single, bogus: 2"),
    (BASE, "single", "pipeline, objective: fast"),
    (BASE, "single", "class-wise, heads: 0, fusion: hub"),
    (BASE, "single", "class-wise, memory_budget: 1 GHz, fusion: hub"),
    (BASE, "raspberry-pi-5", "raspberry-pi-55"),
    (BASE, "device: raspberry-pi-5", "device: {}"),
    (BASE, "device: raspberry-pi-5", "device: {peak: {fp32: 0}}"),
    (BASE, "device: raspberry-pi-5", "device: {peak: {fp32: 1 TW}}"),
    (BASE, "device: raspberry-pi-5", "device: {kind: abacus}"),
    (BASE, "device: raspberry-pi-5", "device: raspberry-pi-5, bogus: 1"),
    (BASE, "device: raspberry-pi-5", "count: 2"),
    (BASE, "count: 2", "count: 0"),
    (BASE, "count: 2", "count: 2, queue: lifo"),
    (BASE, "count: 2", "count: 2, batch: 4"),
    (BASE, "count: 2", "count: 2, batch: {max: 0}"),
    (BASE, "count: 2", "count: 2, batch: {wait: -1 ms}"),
    (BASE, "count: 2", "count: 2, variability: normal"),
    (BASE, "count: 2", "count: 2, faults: {mtbf: 1 h}"),
    (
        BASE,
        "count: 2",
        "count: 2, faults: {mtbf: 1 h, mttr: 1 h, schedule: [{at: 0, duration: 1}]}",
    ),
    (BASE, "count: 2", "count: 2, faults: {}"),
    (BASE, "count: 2", "count: 2, faults: {schedule: []}"),
    (BASE, "count: 2", "count: 2, faults: {schedule: [{at: 1, duration: 2}], shape: 2}"),
    (BASE, "count: 2", "count: 2, faults: {mtbf: 1 h, mttr: 1 h, shape: 0}"),
    (BASE, "count: 2", "count: 2, battery: {capacity: 10 Wh, charge: 1.5}"),
    (BASE, "count: 2", "count: 2, ambient: 30 V"),
    (BASE, "0.25 ms}", "0.25 ms, loss: 1}"),
    (BASE, "traffic:", "faults: {}\ntraffic:"),
    (BASE, "traffic:", "faults: {schedule: [{at: 1, duration: 2, kind: crash}]}\ntraffic:"),
    (
        BASE,
        "traffic:",
        "faults: {schedule: [{at: 1, duration: 2, node: hub, kind: cut}]}\ntraffic:",
    ),
    (
        BASE,
        "traffic:",
        "faults: {schedule: [{at: 1, duration: 2, node: hub, kind: slow}]}\ntraffic:",
    ),
    (
        BASE,
        "traffic:",
        "faults: {schedule: [{at: 1, duration: 2, node: hub, kind: crash, loss: 1 %}]}\ntraffic:",
    ),
    (BASE, "traffic:", "recovery: {retry: {attempts: 0}}\ntraffic:"),
    (BASE, "traffic:", "recovery: {hedge: 5 ms}\ntraffic:"),
    (BASE, "switch:", "switsch:"),
    (BASE, "network:", "network:\n  wifi: {bandwidth: 1 MB/s}"),
    (BASE, "1 Gbit/s", "1 Gbit"),
    (BASE, "1 Gbit/s", "0"),
    (BASE, "0.25 ms", "-0.25 ms"),
    (BASE, "0.25 ms", "0.25 ms, duplex: shared"),
    (BASE, "bandwidth: 1 Gbit/s, ", ""),
    (BASE, "poisson", "poison"),
    (BASE, "0.5/s", "0.5 s"),
    (BASE, "0.5/s", "0"),
    (BASE, "0.5/s", "-1/s"),
    (BASE, "0.5/s", "[1]"),
    (BASE, "rate: 0.5/s, ", ""),
    (BASE, "requests: 10", "requests: 0"),
    (BASE, "requests: 10", "requests: 1e12"),
    (BASE, ", requests: 10", ""),
    (BASE, "requests: 10", "requests: 10, concurrency: 2"),
    (BASE, "requests: 10", "requests: 10, times: [1]"),
    (BASE, "requests: 10", "requests: 10, latency_bound: 1 s"),
    (BASE, "poisson, rate: 0.5/s, requests: 10", "trace"),
    (BASE, "poisson, rate: 0.5/s, requests: 10", "trace, times: []"),
    (BASE, "poisson, rate: 0.5/s, requests: 10", "trace, times: [-1]"),
    (BASE, "poisson, rate: 0.5/s", "multi-stream, samples: 9"),
    (BASE, "poisson, rate: 0.5/s", "single-stream, samples: 2"),
    (BASE, "poisson, rate: 0.5/s", "server, rate: 1/s"),
    (BASE, "name: small", "baselines: [nvidia-rtx-9999]"),
    (BASE, "name: small", "baselines: [{name: x}]"),
    (TASKS, "flop: 2 GFLOP, ", ""),
    (TASKS, "2 GFLOP", "2 GB"),
    (TASKS, ", node: A", ""),
    (TASKS, "memory: 10 MB", "memory: -1"),
    (TASKS, "memory: 10 MB", "optional: 'yes'"),
    (TASKS, "memory: 10 MB", "cores: 0"),
    (TASKS, "to: b, ", ""),
    (TASKS, "ends: [A, B]", "ends: [A]"),
    (TASKS, "links: {ab: {bandwidth: 100 Mbit/s, latency: 1 ms, ends: [A, B]}}", "links: {}"),
    (TASKS, "12.5 MB}]", "12.5 MB}]\n  heads: 3"),
]


@pytest.mark.parametrize(("text", "old", "new"), RIGHT, ids=[new[:40] for *_, new in RIGHT])
def test_right_files_are_valid(
    text: str, old: str, new: str, validator: Draft202012Validator
) -> None:
    data = parse(text.replace(old, new)).data
    assert accepted(data)
    assert not [error.message for error in validator.iter_errors(data)]


@pytest.mark.parametrize(("text", "old", "new"), WRONG, ids=[new[:40] for *_, new in WRONG])
def test_wrong_files_are_not(
    text: str, old: str, new: str, validator: Draft202012Validator
) -> None:
    data = parse(changed(old, new, text)).data
    assert not accepted(data)
    assert not validator.is_valid(data)


def test_what_is_yet_to_be_trained_is_valid_but_does_not_run(
    validator: Draft202012Validator,
) -> None:
    # `edgesim partition` takes it, with or without a cluster.
    data = {"model": {"training": {"data": {"name": "digits"}}}}
    assert validator.is_valid(data)
    assert not accepted(data)
    assert not validator.is_valid({"model": {"name": "resnet18"}})

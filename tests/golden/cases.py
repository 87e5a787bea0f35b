"""Which examples are frozen, and what shortens each one so that all play within a minute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.needs import OPTUNA, Need

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FAULT_SEEDS = (1, 2, 3)
"""Every example of faults is played with each of them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One command that is played in this process.

    Attributes:
        name: of the case, and of its folder.
        command: ``run``, ``both`` (``run --mode both``, with a simulation in place of real
            nodes), ``sweep``, or ``check`` for a recipe, which is not simulated.
        file: the example.
        settings: ``key.path=value`` overrides that shorten it, or make it a variant.
        seed: replaces the file's.
        edits: what replaces what in the text of a study, which no override can shorten.
        need: optional thing without which the case cannot be played, if any.
    """

    name: str
    command: str
    file: Path
    settings: tuple[str, ...] = ()
    seed: int | None = None
    edits: tuple[tuple[str, str], ...] = ()
    need: Need | None = None


_SCENARIOS = {
    "cameras": ["traffic.requests=300"],
    "jpeg-camera": [],
    "day": ["traffic.requests=400"],
    "fashion-five-pis": ["traffic.requests=400", "nodes.pi.faults.mtbf=40 s",
                         "nodes.pi.faults.mttr=5 s"],
    "five-pis": ["traffic.requests=200"],
    "mixed-nodes": ["traffic.requests=200"],
    "one-machine": ["traffic.requests=200"],
    "fatnet": [],
    "own-4f": [],
    "own-model": ["traffic.requests=200"],
    "optical-static": ["traffic.requests=20"],
    "optical-what-if": ["traffic.requests=20"],
    "pipeline-jetsons": ["traffic.requests=200", "traffic.warmup=20"],
    "pis-with-light": ["traffic.requests=200", "traffic.warmup=20"],
    "real-nodes": [],
    "replicate-mlperf-server": ["traffic.requests=300"],
    "task-graph": ["traffic.requests=450"],
}  # fmt: skip

_VARIANTS = {
    "five-pis": {
        "replications": ["traffic.requests=60", "replications=3"],
        "priority": ["traffic.requests=60", "nodes.pi.queue=priority", "traffic.samples=2",
                     "nodes.pi.variability={kind: exponential}"],
    },
    "optical-what-if": {
        "crossbar": ["traffic.requests=4", "nodes.light.device=lt-b", "model.precision=int4"],
        "lcos": ["traffic.requests=4", "nodes.light.device=4f-lcos-pluto"],
        "mirrors": ["traffic.requests=4", "nodes.light.device=4f-dmd-dlp7000"],
        "parts": ["traffic.requests=4", "traffic.samples=1", "nodes.light.device.input={bits: 8}",
                  "nodes.light.device.filter={bits: 8}", "nodes.light.device.camera={bits: 12}",
                  "nodes.light.device.link=31.5 GB/s", "nodes.light.device.host=intel-i9-10940x"],
    },
    "pipeline-jetsons": {
        "latency": ["traffic.requests=60", "traffic.warmup=0", "placement.objective=latency"],
    },
    "pis-with-light": {
        "mirrors": ["traffic.requests=60", "traffic.warmup=0",
                    "nodes.light.device=4f-dmd-dlp7000"],
    },
    "replicate-mlperf-server": {
        "offline": ["traffic={arrivals: offline, requests: 200}"],
        "single-stream": ["traffic={arrivals: single-stream, requests: 60}"],
        "multi-stream": ["traffic={arrivals: multi-stream, requests: 60}"],
    },
}  # fmt: skip

_BOTH = {
    "mixed-nodes": ["traffic.requests=60"],
    "one-machine": ["traffic.requests=60"],
    "real-nodes": ["traffic.requests=60"],
    "real-nodes-faults": [
        "traffic.requests=60",
        "faults={schedule: [{at: 1 s, duration: 2 s, node: pi-1, kind: crash}]}",
    ],
}  # fmt: skip

_OFTEN = ["traffic.requests=400", "nodes.pi.faults={mtbf: 60 s, mttr: 6 s}", "nodes.pi.restart=1 s"]
_FAULTS = {
    "battery": ["traffic.requests=300", "nodes.pi.battery.capacity=0.5 Wh"],
    "checks": _OFTEN,
    "heat": ["traffic.requests=600"],
    "hedge": ["traffic.requests=400", "traffic.rate=1/s"],
    "links": ["traffic.requests=500", "traffic.rate=0.5/s",
              "network.switch.faults={mtbf: 2 min, mttr: 5 s}"],
    "memory": ["traffic.requests=300", "nodes.pi.exhaustion.leak=8 MiB"],
    "none": _OFTEN,
    "patient": _OFTEN,
    "reassign": _OFTEN,
    "retry": _OFTEN,
    "standby": _OFTEN,
}  # fmt: skip

_STUDIES = [
    Case(
        "fewest-pis-study",
        "sweep",
        EXAMPLES / "fewest-pis-study.yaml",
        ("traffic.requests=20",),
        edits=(("base: ", f"base: {EXAMPLES}/"), ("trials: 60", "trials: 20")),
        need=OPTUNA,
    ),
    Case(
        "five-pis-study",
        "sweep",
        EXAMPLES / "five-pis-study.yaml",
        ("traffic.requests=20",),
        edits=(("base: ", f"base: {EXAMPLES}/"), ("steps: 40", "steps: 8")),
    ),
    Case(
        "policies-study",
        "sweep",
        EXAMPLES / "faults" / "policies-study.yaml",
        ("traffic.requests=200", "nodes.pi.faults={mtbf: 60 s, mttr: 6 s}"),
        edits=(("../fashion-5", f"{EXAMPLES}/fashion-5"),),
    ),
    Case(
        "sweep-of-a-sweep",
        "sweep",
        EXAMPLES / "sweep-of-a-sweep.yaml",
        ("traffic.requests=200",),
        edits=(
            (", 300, 1000]", "]"),
            (", 600, 2000]", "]"),
            (", 1.830 GFLOP/s, 0.5491 GFLOP/s]", "]"),
        ),
    ),
]

_RECIPES = ("digits-on-light", "digits-partition", "fashion-partition", "vit-small")
"""Before `edgesim partition` has made their model, `check` says how."""


def _file(name: str) -> Path:
    return EXAMPLES / f"{name}.yaml"


def _cases() -> list[Case]:
    found = [Case(name, "run", _file(name), tuple(few)) for name, few in _SCENARIOS.items()]
    for name, variants in _VARIANTS.items():
        found += [
            Case(f"{name}-{variant}", "run", _file(name), tuple(settings))
            for variant, settings in variants.items()
        ]
    for name, few in _BOTH.items():
        file = _file(name.removesuffix("-faults"))
        found.append(Case(f"both-{name}", "both", file, tuple(few)))
    for name, few in _FAULTS.items():
        found += [
            Case(f"faults-{name}-seed-{seed}", "run", _file(f"faults/{name}"), tuple(few), seed)
            for seed in FAULT_SEEDS
        ]
    found += _STUDIES
    found += [Case(name, "check", _file(name)) for name in _RECIPES]
    return found


CASES = {case.name: case for case in _cases()}

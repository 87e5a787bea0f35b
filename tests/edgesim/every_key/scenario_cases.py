"""A case for every key of a scenario but those of devices."""

from __future__ import annotations

from tests.edgesim.every_key.cases import Case

MODEL = """
seed: 1
model: {name: vit_tiny_patch16_224, depth: 2, image_size: 32, classes: 10}
placement: {strategy: single, input: hub, nodes: [n]}
nodes:
  n:
    device:
      peak: {fp32: 20 GFLOP/s, int8: 40 GFLOP/s}
      cores: 2
      memory: {capacity: 1 GB, bandwidth: 2 GB/s}
      power: {idle: 1 W, busy: 3 W}
  hub: {device: {peak: {fp32: 10 GFLOP/s, int8: 10 GFLOP/s}, power: {idle: 1 W, busy: 2 W}}}
network: {switch: {bandwidth: 10 Mbit/s, latency: 1 ms}}
traffic: {arrivals: poisson, rate: 30/s, requests: 30}
"""
_TOKENS = "model.compress={tokens: {keep: 0.5, at: [1]}}"
_BLOCKS = "model.compress={sparsity: {share: 0.5}}"
_BITS = "model.compress={bits: {weights: 8, activations: 8}}"
_CODE = "tests/edgesim/graph/sources/user_model.py"
OWN = MODEL.replace(
    "{name: vit_tiny_patch16_224, depth: 2, image_size: 32, classes: 10}",
    f"{{torch: '{_CODE}:build', input: [3, 32, 32]}}",
)
TASKS = """
model:
  tasks:
    a: {flop: 2 GFLOP, node: n}
    b: {flop: 1 GFLOP, node: n}
    c: {flop: 1 GFLOP, node: m}
  transfers: [{from: a, to: c, bytes: 1 MB}, {from: b, to: c, bytes: 4 MB}]
nodes:
  n:
    device:
      {peak: {fp32: 10 GFLOP/s}, cores: 4, memory: {capacity: 1 GB}, power: {idle: 1 W, busy: 5 W}}
  m: {device: {peak: {fp32: 20 GFLOP/s}, power: {idle: 1 W, busy: 5 W}}}
network: {switch: {bandwidth: 100 Mbit/s}}
traffic: {arrivals: periodic, rate: 1/s, requests: 10}
"""
PARTS = """
seed: 1
model: {name: vit_tiny_patch16_224, depth: 2, image_size: 32, classes: 10}
placement: {strategy: class-wise, submodels: 2, heads: 2, input: hub, fusion: hub, nodes: [n]}
nodes:
  n:
    device: {peak: {fp32: 10 GFLOP/s}, memory: {capacity: 100 MB}, power: {idle: 1 W, busy: 3 W}}
    count: 2
  hub:
    device: {peak: {fp32: 1 GFLOP/s}, memory: {capacity: 100 MB}, power: {idle: 1 W, busy: 3 W}}
  spare:
    device: {peak: {fp32: 5 GFLOP/s}, memory: {capacity: 100 MB}, power: {idle: 1 W, busy: 3 W}}
network: {switch: {bandwidth: 10 Mbit/s, latency: 1 ms}}
traffic: {arrivals: periodic, rate: 5/s, requests: 40}
"""
PAIR = """
seed: 1
model: {name: vit_tiny_patch16_224, depth: 2, image_size: 32, classes: 10}
placement: {strategy: pipeline, objective: bottleneck, input: hub, nodes: [n, m]}
nodes:
  n: {device: {peak: {fp32: 20 GFLOP/s}}}
  m: {device: {peak: {fp32: 10 GFLOP/s}}}
  hub: {device: {peak: {fp32: 10 GFLOP/s}}}
network: {switch: {bandwidth: 100 Mbit/s, latency: 1 ms}}
traffic: {arrivals: closed, requests: 10}
"""
WIFI = MODEL.replace("switch:", "wifi:")
LINKS = """
model:
  tasks:
    a: {flop: 2 GFLOP, node: n}
    b: {flop: 1 GFLOP, node: m}
    c: {flop: 1 GFLOP, node: n}
  transfers: [{from: a, to: b, bytes: 4 MB}, {from: b, to: c, bytes: 4 MB}]
nodes:
  n: {device: {peak: {fp32: 10 GFLOP/s}, power: {idle: 1 W, busy: 5 W}}}
  m: {device: {peak: {fp32: 20 GFLOP/s}, power: {idle: 1 W, busy: 5 W}}}
  p: {device: {peak: {fp32: 20 GFLOP/s}}}
network:
  links:
    l: {bandwidth: 100 Mbit/s, ends: [n, m]}
    k: {bandwidth: 1 Gbit/s, latency: 10 ms, ends: [n, m]}
    q: {bandwidth: 1 Gbit/s, ends: [p, m]}
  routes: [{from: n, to: m, links: [l]}]
traffic: {arrivals: periodic, rate: 2/s, requests: 20}
"""
HOST = """
model:
  tasks: {a: {flop: 2 GFLOP, node: n}, b: {flop: 1 GFLOP, node: m}}
nodes:
  n: {device: {peak: {fp32: 10 GFLOP/s}}, host: h}
  m: {device: {peak: {fp32: 20 GFLOP/s}}, host: h}
hosts: {h: {cores: 1}}
network: {switch: {bandwidth: 100 Mbit/s}}
traffic: {arrivals: periodic, rate: 1/s, requests: 10}
"""
BASELINE = MODEL + "baselines: [{device: {peak: {fp32: 5 GFLOP/s, int8: 6 GFLOP/s}}}]\n"
_PI, _PI_BASELINE = "nodes.n.device=raspberry-pi-4b", "baselines=[{device: raspberry-pi-4b}]"
ARTIFACT = """
model: {artifact: examples/fashion-2}
placement: {strategy: class-wise, input: hub, fusion: hub, nodes: [n]}
nodes: {n: {device: raspberry-pi-4b, count: 2}, hub: {device: raspberry-pi-5}}
network: {switch: {bandwidth: 1 Gbit/s}}
traffic: {arrivals: closed, requests: 4}
"""
PAYLOAD = ("traffic.payload={bytes: 1 kB}", "nodes.n.device.decode={jpeg: 10 Mpixel/s}")
HOT = """
model: {name: vit_tiny_patch16_224, depth: 2, image_size: 32, classes: 10}
placement: {strategy: single}
nodes:
  n:
    device:
      peak: {fp32: 100 MFLOP/s}
      power: {idle: 1 W, busy: 11 W}
      thermal: {resistance: 5 K/W, time_constant: 1 s, limit: 60 °C, release: 50 °C, speed: 20 %}
    ambient: 30 °C
traffic: {arrivals: closed, requests: 100}
"""
FIVE = """
model: {artifact: examples/fashion-5}
placement: {strategy: class-wise, input: hub, fusion: hub, nodes: [pi]}
nodes: {pi: {device: raspberry-pi-4b, count: 5}, hub: {device: raspberry-pi-5}}
network: {switch: {bandwidth: 1 Gbit/s}}
traffic: {arrivals: periodic, rate: 1/s, requests: 100}
"""
TWO = MODEL.replace("  hub:", "  m: {device: {peak: {fp32: 10 GFLOP/s}}}\n  hub:")
TWO = TWO.replace(
    "strategy: single, input: hub, nodes: [n]", "strategy: replicate, input: hub, nodes: [n, m]"
)

K = ("network.routes.0.links=[k]",)
BUSY = ("traffic.rate=100/s",)
CRASHING = ("nodes.n.faults={mtbf: 300 ms, mttr: 40 ms}",)
DOWN = ("nodes.n.faults={schedule: [{at: 100 ms, duration: 200 ms}]}",)
CUT = ("network.{}.faults={{mtbf: 200 ms, mttr: 60 ms}}",)
RETRY = ("recovery.retry={attempts: 3, backoff: 50 ms, longest: 200 ms}",)
SLOW = ("faults={schedule: [{at: 100 ms, duration: 600 ms, node: n, kind: slow, speed: 20 %}]}",)
DEGRADED = (
    "faults={schedule: [{at: 100 ms, duration: 600 ms, link: n-switch, kind: degrade, "
    "bandwidth: 3 Mbit/s, latency: 1 ms, loss: 1 %}]}",
)
FADING = ("nodes.n.battery={capacity: 0.3 J, charge: 90 %, recharge: 0.9 W, restart: 20 %}",)
PART_DOWN = ("faults={schedule: [{at: 1 s, duration: 3 s, node: n-0, kind: crash}]}",)
PART_SLOW = ("faults={schedule: [{at: 1 s, duration: 3 s, node: n-0, kind: slow, speed: 0.1 %}]}",)
REASSIGN = ("recovery.reassign={after: 100 ms, source: hub, load: 10 MB/s}",)
MLPERF = ("traffic={arrivals: server, rate: 20/s, requests: 60, latency_bound: 60 ms}",)


def _links(kind: str, base: str, at: str) -> dict[str, Case]:
    """Return the cases of a link, whichever kind of network has it."""
    key = f"network.{kind}"
    random = (f"network.{at}.faults={{mtbf: 200 ms, mttr: 60 ms, shape: 1, repair_shape: 1}}",)
    known = (f"network.{at}.faults={{schedule: [{{at: 100 ms, duration: 200 ms}}]}}",)
    return {
        f"{key}.bandwidth": Case(base, "50 Mbit/s"),
        f"{key}.latency": Case(base, "2 ms"),
        f"{key}.energy_per_byte": Case(base, "1 nJ/B"),
        f"{key}.power": Case(base, "1 W"),
        f"{key}.loss": Case(base, "5 %"),
        f"{key}.faults.mtbf": Case(base, "500 ms", given=random),
        f"{key}.faults.mttr": Case(base, "100 ms", given=random),
        f"{key}.faults.shape": Case(base, "2", given=random),
        f"{key}.faults.repair_shape": Case(base, "2", given=random),
        f"{key}.faults.schedule[].at": Case(base, "200 ms", given=known),
        f"{key}.faults.schedule[].duration": Case(base, "300 ms", given=known),
    }


CROWDED = ("traffic={arrivals: periodic, rate: 1000/s, requests: 40}",)
STEPS = ("traffic={arrivals: periodic, requests: 20, rate: [{rate: 10/s, until: 1 s}, {rate: 1}]}",)
TWICE = (
    "traffic={arrivals: periodic, requests: 8, rate: {steps: [{rate: 10/s, until: 500 ms}, "
    "{rate: 2/s, until: 2 s}]}}",
)
THINK = ("traffic={arrivals: closed, requests: 20, think: {mean: 50 ms}}",)
COLUMNS = (
    "traffic={arrivals: trace, file: {path: tests/edgesim/every_key/columns.csv, column: first}}",
)

CASES: dict[str, Case] = {
    "name": Case(MODEL, "other", outcome="page"),
    "seed": Case(MODEL, "2"),
    "replications": Case(MODEL, "2"),
    "model.name": Case(MODEL, "vit_small_patch16_224"),
    "model.precision": Case(MODEL, "int8"),
    "model.torch": Case(OWN, f"{_CODE}:deeper"),
    "model.arguments": Case(OWN, "{depth: 4}"),
    "model.input": Case(OWN, "[3, 16, 16]"),
    "model.reparameterize": Case(OWN.replace(":build", ":branched"), "false"),
    "model.up_to": Case(MODEL, "blocks.0"),
    "model.compress.tokens.method": Case(
        MODEL, "{tokens: {method: evit, keep: 0.5, at: [1]}}", at="model.compress"
    ),
    "model.compress.tokens.remove": Case(
        MODEL,
        "20",
        given=(
            "model.compress={tokens: {method: mctf, remove: 10, at: [1]}}",
            "model.image_size=96",
        ),
    ),
    "model.compress.tokens.keep": Case(MODEL, "1.0", given=(_TOKENS,)),
    "model.compress.tokens.at": Case(MODEL, "[2]", given=(_TOKENS,)),
    "model.compress.sparsity.share": Case(MODEL, "0.25", given=(_BLOCKS,)),
    "model.compress.sparsity.blocks": Case(MODEL, "[192, 256]", given=(_BLOCKS,)),
    "model.compress.sparsity.only": Case(MODEL, "'*.fc1'", given=(_BLOCKS,)),
    "model.compress.bits.weights": Case(MODEL, "4", given=(_BITS,)),
    "model.compress.bits.activations": Case(MODEL, "4", given=(_BITS,)),
    "model.compress.bits.only": Case(MODEL, "'*.fc1'", given=(_BITS,)),
    "model.compress.arithmetic.kind": Case(
        MODEL, "{arithmetic: {kind: shift-add}}", at="model.compress"
    ),
    "model.compress.arithmetic.only": Case(
        MODEL, "'*.fc1'", given=("model.compress={arithmetic: {kind: shift-add}}",)
    ),
    "model.classes": Case(MODEL, "100"),
    "model.image_size": Case(MODEL, "64"),
    "model.channels": Case(MODEL, "1"),
    "model.patch_size": Case(MODEL, "8"),
    "model.width": Case(MODEL, "96"),
    "model.depth": Case(MODEL, "3"),
    "model.heads": Case(MODEL, "6"),
    "model.head_width": Case(MODEL, "32"),
    "model.mlp_width": Case(MODEL, "100"),
    "model.tasks.*.flop": Case(TASKS, "3 GFLOP"),
    "model.tasks.*.node": Case(TASKS, "m"),
    "model.tasks.*.memory": Case(TASKS, "100 MB"),
    "model.tasks.*.cores": Case(TASKS, "1"),
    "model.tasks.*.priority": Case(
        TASKS, "1", given=("nodes.n.queue=priority", "traffic.rate=4/s")
    ),
    "model.tasks.*.optional": Case(
        TASKS, "true", given=("nodes.n.faults={mtbf: 2 s, mttr: 1 s}", "model.tasks.b.node=m")
    ),
    "model.transfers[].from": Case(TASKS, "b", instead=("model.transfers.1.from=a",)),
    "model.transfers[].to": Case(TASKS, "b"),
    "model.transfers[].bytes": Case(TASKS, "2 MB"),
    "model.artifact": Case(ARTIFACT, "examples/fashion-1", instead=("nodes.n.count=1",)),
    "placement.strategy": Case(TWO, "single"),
    "placement.input": Case(MODEL, "n"),
    "placement.nodes": Case(TWO, "[m]"),
    "placement.objective": Case(PAIR, "latency"),
    "placement.fusion": Case(PARTS, "spare"),
    "placement.submodels": Case(PARTS, "1"),
    "placement.heads": Case(PARTS, "1"),
    "placement.memory_budget": Case(PARTS, "2 MB", given=("placement.heads=",)),
    "nodes.*.device": Case(MODEL, "raspberry-pi-4b"),
    "nodes.*.runtime.name": Case(MODEL, "ncnn", old="tflite", given=(_PI,)),
    "nodes.*.runtime.estimate": Case(
        MODEL, "true", given=(_PI, "nodes.n.runtime.name=executorch"), refused="old"
    ),
    "nodes.*.reserve": Case(MODEL, "400 MB"),
    "nodes.*.count": Case(TWO, "2"),
    "nodes.*.queue.order": Case(
        TASKS, "priority", given=("model.tasks.a.priority=1", "traffic.rate=4/s")
    ),
    "nodes.*.queue.limit": Case(MODEL, "1", given=(*CROWDED, "nodes.n.queue.limit=3")),
    "nodes.*.queue.full": Case(MODEL, "drop-oldest", given=(*CROWDED, "nodes.n.queue.limit=1")),
    "nodes.*.queue.skip_late": Case(MODEL, "true", given=(*CROWDED, "traffic.deadline=150 ms")),
    "nodes.*.batch.max": Case(MODEL, "4", given=BUSY),
    "nodes.*.batch.wait": Case(MODEL, "10 ms", given=(*BUSY, "nodes.n.batch.max=4")),
    "nodes.*.variability.kind": Case(MODEL, "exponential"),
    "nodes.*.variability.cv": Case(
        MODEL, "0.5", given=("nodes.n.variability={kind: lognormal, cv: 0.1}",)
    ),
    "nodes.*.faults.mtbf": Case(MODEL, "600 ms", given=CRASHING),
    "nodes.*.faults.mttr": Case(MODEL, "100 ms", given=CRASHING),
    "nodes.*.faults.shape": Case(MODEL, "2", given=CRASHING),
    "nodes.*.faults.repair_shape": Case(MODEL, "2", given=CRASHING),
    "nodes.*.faults.schedule[].at": Case(MODEL, "200 ms", given=DOWN),
    "nodes.*.faults.schedule[].duration": Case(MODEL, "300 ms", given=DOWN),
    "nodes.*.host": Case(HOST, "", instead=("nodes.m.host=", "hosts={}")),
    "nodes.*.restart": Case(MODEL, "100 ms", given=DOWN),
    "nodes.*.ambient": Case(HOT, "25 °C"),
    "nodes.*.battery.capacity": Case(MODEL, "0.5 J", given=FADING),
    "nodes.*.battery.charge": Case(MODEL, "50 %", given=FADING),
    "nodes.*.battery.recharge": Case(MODEL, "0.5 W", given=FADING),
    "nodes.*.battery.restart": Case(MODEL, "30 %", given=(*FADING, "traffic.requests=100")),
    "nodes.*.exhaustion.leak": Case(MODEL, "100 MB", given=("nodes.n.exhaustion={leak: 1 MB}",)),
    "hosts.*.cores": Case(HOST, "2"),
    **_links("switch", MODEL, "switch"),
    "network.switch.duplex": Case(
        MODEL, "half", given=("placement.input=hub", "traffic.rate=60/s", "model.classes=20000")
    ),
    **_links("wifi", WIFI, "wifi"),
    "network.wifi.access_point": Case(WIFI, "hub"),
    **_links("links.*", LINKS, "links.l"),
    "network.links.*.duplex": Case(LINKS, "half", given=("traffic.rate=4/s",)),
    "network.links.*.ends": Case(LINKS, "[p, m]", given=("network.routes=[]",)),
    "network.routes[].from": Case(LINKS, "p", given=K, instead=("network.routes.0.links=[q]",)),
    "network.routes[].to": Case(LINKS, "p", given=K, instead=("network.routes.0.links=[l, q]",)),
    "network.routes[].links": Case(LINKS, "[k]"),
    "faults.schedule[].at": Case(MODEL, "200 ms", given=SLOW),
    "faults.schedule[].duration": Case(MODEL, "200 ms", given=SLOW),
    "faults.schedule[].node": Case(TWO, "m", given=SLOW),
    "faults.schedule[].link": Case(MODEL, "hub-switch", given=DEGRADED),
    "faults.schedule[].kind": Case(
        MODEL, "crash", given=SLOW, instead=("faults.schedule.0.speed=",)
    ),
    "faults.schedule[].speed": Case(MODEL, "50 %", given=SLOW),
    "faults.schedule[].bandwidth": Case(MODEL, "5 Mbit/s", given=DEGRADED),
    "faults.schedule[].latency": Case(MODEL, "2 ms", given=DEGRADED),
    "faults.schedule[].loss": Case(
        MODEL, "2 %", given=(*DEGRADED, "faults.schedule.0.latency=50 ms")
    ),
    "faults.file": Case(FIVE, "examples/faults/slow-pis.csv"),
    "recovery.deadline": Case(PARTS, "300 ms", given=(*PART_SLOW, *RETRY)),
    "recovery.retry.attempts": Case(PARTS, "5", given=(*PART_DOWN, *RETRY)),
    "recovery.retry.timeout": Case(PARTS, "100 ms", given=(*PART_SLOW, *RETRY)),
    "recovery.retry.backoff": Case(PARTS, "100 ms", given=(*PART_DOWN, *RETRY)),
    "recovery.retry.longest": Case(
        PARTS, "1 s", given=(*PART_DOWN, *RETRY, "recovery.retry.attempts=10")
    ),
    "recovery.hedge.after": Case(PARTS, "50 ms", given=(*PART_SLOW, "recovery.standby=[spare]")),
    "recovery.standby": Case(PARTS, "[spare]", given=(*PART_DOWN, *RETRY)),
    "recovery.reassign.after": Case(PARTS, "500 ms", given=(*PART_DOWN, *REASSIGN)),
    "recovery.reassign.source": Case(PARTS, "n-1", given=(*PART_DOWN, *REASSIGN)),
    "recovery.reassign.load": Case(PARTS, "1 MB/s", given=(*PART_DOWN, *REASSIGN)),
    "recovery.degrade": Case(PARTS, "false", given=PART_DOWN),
    "recovery.health.interval": Case(
        PARTS,
        "200 ms",
        given=(*PART_DOWN, *RETRY, "recovery.deadline=1 s", "recovery.health={interval: 500 ms}"),
    ),
    "recovery.health.strikes": Case(
        PARTS,
        "1",
        given=(*PART_DOWN, *RETRY, "recovery.deadline=1 s", "recovery.health={interval: 500 ms}"),
    ),
    "traffic.arrivals": Case(MODEL, "periodic"),
    "traffic.requests": Case(MODEL, "20"),
    "traffic.rate[].rate": Case(MODEL, "20/s", given=STEPS),
    "traffic.rate[].until": Case(MODEL, "100 ms", given=STEPS),
    "traffic.rate.steps[].rate": Case(MODEL, "20/s", given=TWICE),
    "traffic.rate.steps[].until": Case(MODEL, "1 s", given=TWICE),
    "traffic.rate.file": Case(
        MODEL, "tests/edgesim/every_key/rates.csv", given=TWICE, instead=("traffic.rate.steps=",)
    ),
    "traffic.rate.repeat": Case(
        MODEL, "true", given=(*TWICE, "traffic.requests=20"), refused="old"
    ),
    "traffic.think.mean": Case(MODEL, "100 ms", given=THINK),
    "traffic.think.distribution": Case(MODEL, "fixed", given=THINK),
    "traffic.concurrency": Case(MODEL, "2", given=("traffic={arrivals: closed, requests: 10}",)),
    "traffic.times": Case(
        MODEL, "[0, 2, 3]", given=("traffic={arrivals: trace, times: [0, 1, 3]}",)
    ),
    "traffic.file.path": Case(
        MODEL,
        "tests/edgesim/every_key/times.txt",
        given=("traffic={arrivals: trace, times: [0, 1, 3]}",),
        instead=("traffic.times=",),
    ),
    "traffic.file.column": Case(MODEL, "second", given=COLUMNS),
    "traffic.file.unit": Case(MODEL, "ms", given=COLUMNS),
    "traffic.file.origin": Case(MODEL, "first", given=COLUMNS),
    "traffic.samples": Case(MODEL, "2"),
    "traffic.warmup": Case(MODEL, "5"),
    "traffic.deadline": Case(MODEL, "10 ms", given=("traffic.deadline=1 s",)),
    "traffic.payload.bytes": Case(MODEL, "2 kB", given=PAYLOAD),
    "traffic.payload.encoding": Case(MODEL, "raw", given=PAYLOAD, refused="new"),
    "traffic.latency_bound": Case(MODEL, "40 ms", given=MLPERF),
    "traffic.min_duration": Case(
        MODEL, "1000 s", given=("traffic={arrivals: single-stream, requests: 10}",)
    ),
    "baselines[].device": Case(BASELINE, "{peak: {fp32: 8 GFLOP/s}}"),
    "baselines[].name": Case(BASELINE, "other"),
    "baselines[].precision": Case(BASELINE, "int8"),
    "baselines[].batch": Case(BASELINE, "4", given=("traffic.rate=300/s",)),
    "baselines[].runtime.name": Case(BASELINE, "ncnn", old="tflite", given=(_PI_BASELINE,)),
    "baselines[].runtime.estimate": Case(
        BASELINE,
        "true",
        given=(_PI_BASELINE, "baselines.0.runtime.name=executorch"),
        refused="old",
    ),
}

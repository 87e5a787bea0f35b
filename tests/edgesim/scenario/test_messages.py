"""Every message has file, line, column, key path, what was expected, and the nearest name."""

from __future__ import annotations

import re

import pytest

from edgesim.scenario import ScenarioError
from tests.edgesim.scenario.cases import BASE, TASKS, changed, load, message

WRONG = [
    # Unknown keys and names, with the nearest.
    ("device: raspberry-pi-4b", "device: raspberry-pi-4b, cuont: 2",
     "c.yaml:5:33: nodes.pi.cuont: unknown key 'cuont' (did you mean 'count'?)"),
    ("nodes:", "nodez: {}\nnodes:",
     "c.yaml:4:1: nodez: unknown key 'nodez' (did you mean 'nodes'?)"),
    ("switch:", "swich:",
     "c.yaml:8:3: network.swich: unknown key 'swich' (did you mean 'switch'?)"),
    ("classes: 10", "depht: 3",
     "c.yaml:2:37: model.depht: unknown key 'depht' (did you mean 'depth'?)"),
    ("vit_tiny_patch16_224", "vit_tiny_patch16_225",
     "c.yaml:2:15: model.name: no model is named 'vit_tiny_patch16_225' (did you mean "
     "'vit_tiny_patch16_224'?); `edgesim models` lists what there is"),
    ("raspberry-pi-4b", "raspbery-pi-4b",
     "c.yaml:5:16: nodes.pi.device: no device is named 'raspbery-pi-4b' (did you mean "
     "'raspberry-pi-4b'?); `edgesim devices` lists what there is"),
    ("strategy: single", "strategy: singel",
     "c.yaml:3:23: placement.strategy: expected one of class-wise, manual, pipeline, replicate, "
     "single, got 'singel' (did you mean 'single'?)"),
    ("input: hub", "input: hup",
     "c.yaml:3:38: placement.input: no node is named 'hup' (did you mean 'hub'?)"),
    ("input: hub", "input: pi",
     "c.yaml:3:38: placement.input: 'pi' stands for 'pi-0' to 'pi-1'; expected the name of one "
     "node"),
    ("poisson", "poison",
     "c.yaml:9:21: traffic.arrivals: expected one of closed, multi-stream, offline, "
     "periodic, poisson, server, single-stream, trace, got 'poison' (did you mean 'poisson'?)"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, host: bax}\nhosts: {box: {cores: 8}",
     "c.yaml:6:39: nodes.hub.host: no host is named 'bax' (did you mean 'box'?); 'hosts' lists "
     "them"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, host: box}\nhosts: {box: {cores: 2}",
     "c.yaml:6:39: nodes.hub.host: 'box' has 2 cores, and the device 4"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, variability: measured",
     "c.yaml:6:46: nodes.hub.variability: 'raspberry-pi-5' has no measured spread; "
     "`edgesim profile` finds one"),
    # Wrong types.
    ("count: 2", "count: two", "c.yaml:5:40: nodes.pi.count: expected an integer, got 'two'"),
    ("count: 2", "count: 2.5", "c.yaml:5:40: nodes.pi.count: expected an integer, got 2.5"),
    ("count: 2", "count: true", "c.yaml:5:40: nodes.pi.count: expected an integer, got true"),
    ("count: 2", "count: [2]", "c.yaml:5:40: nodes.pi.count: expected an integer, got a list"),
    ("count: 2", "count: no", "c.yaml:5:40: nodes.pi.count: expected an integer, got 'no'"),
    ("name: small", "name: 5",
     "c.yaml:1:7: name: expected text, got 5; put it in quotes"),
    ("name: small", "name: small\nreplications: 1.5",
     "c.yaml:2:15: replications: expected an integer, got 1.5"),
    ("device: raspberry-pi-5", "device: 5",
     "c.yaml:6:17: nodes.hub.device: expected a device's name or an inline device, got 5"),
    ("{device: raspberry-pi-5}", "raspberry-pi-5",
     "c.yaml:6:8: nodes.hub: expected a mapping, such as {device: …}, got 'raspberry-pi-5'"),
    ("{device: raspberry-pi-5}", "{device:raspberry-pi-5}",
     "c.yaml:6:9: nodes.hub.device:raspberry-pi-5: unknown key 'device:raspberry-pi-5'; write a "
     "space after the colon: 'device: raspberry-pi-5'"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, faults: often",
     "c.yaml:6:41: nodes.hub.faults: expected a mapping with keys such as mtbf, mttr, shape, got "
     "'often'"),
    ("name: small", "name: small\nbaselines: raspberry-pi-5",
     "c.yaml:2:12: baselines: expected a list, got 'raspberry-pi-5'; write [raspberry-pi-5]"),
    ("name: small", "name: a/b",
     "c.yaml:1:7: name: expected 1 to 100 letters, digits, spaces or '_', '-', '.', '+', a letter "
     "or digit first, got 'a/b'"),
    # A key that is not known is wrong without a value too.
    ("input: hub", "input: hub, heds: ", "c.yaml:3:43: placement.heds: unknown key 'heds'"),
    ("0.5/s", "0.5/s, concurency: ",
     "c.yaml:9:43: traffic.concurency: unknown key 'concurency'"),
    ("{strategy: single, input: hub}", "[]",
     "c.yaml:3:12: placement: expected a mapping, got a list"),
    # Quantities.
    ("0.5/s", "'0,5/s'",
     "c.yaml:9:36: traffic.rate: expected a number without a comma, as in '0.5/s', got '0,5/s'"),
    ("0.5/s", "-0.5/s", "c.yaml:9:36: traffic.rate: expected more than 0, got '-0.5/s'"),
    ("0.5/s", "0", "c.yaml:9:36: traffic.rate: expected more than 0, got 0"),
    ("0.5/s", ".nan",
     "c.yaml:9:36: traffic.rate: expected a finite quantity such as '0.5/s', got nan"),
    ("0.5/s", "-.inf",
     "c.yaml:9:36: traffic.rate: expected a finite quantity such as '0.5/s', got -inf"),
    ("0.5/s", "1e999/s",
     "c.yaml:9:36: traffic.rate: expected a finite quantity such as '0.5/s', got 1e999/s"),
    ("0.5/s", "0.5 furlong",
     "c.yaml:9:36: traffic.rate: 'furlong' is no unit of rate; write for example '0.5/s'"),
    ("0.5/s", "0.5 ms",
     "c.yaml:9:36: traffic.rate: 'ms' is no unit of rate; write for example '0.5/s' ('ms' is a "
     "unit of time)"),
    ("0.5/s", "fast",
     "c.yaml:9:36: traffic.rate: expected a quantity such as '0.5/s', got 'fast'"),
    ("0.25 ms", "-0.25 ms",
     "c.yaml:8:42: network.switch.latency: expected at least 0, got '-0.25 ms'"),
    # Sizes.
    ("requests: 10", "requests: 0",
     "c.yaml:9:53: traffic.requests: expected at least 1, got 0"),
    ("requests: 10", "requests: 1e12",
     "c.yaml:9:53: traffic.requests: expected at most 100,000,000, got 1000000000000"),
    ("requests: 10", "requests: 10, warmup: 10",
     "c.yaml:9:65: traffic.warmup: a warmup of 10 leaves nothing of 10 requests"),
    # What goes together.
    ("rate: 0.5/s, ", "",
     "c.yaml:9:10: traffic: expected a value for 'rate', such as 0.5/s, which is not given"),
    ("poisson", "closed",
     "c.yaml:9:29: traffic.rate: 'rate' belongs to periodic, poisson or server, not to closed"),
    ("input: hub", "input: hub, heads: 2",
     "c.yaml:3:43: placement.heads: 'heads' belongs to class-wise, not to single"),
    ("strategy: single", "strategy: class-wise, submodels: 11, fusion: hub",
     "c.yaml:3:46: placement.submodels: expected at most 10, one for each class, got 11"),
    ("vit_tiny_patch16_224", "resnet18, heads: 3",
     "c.yaml:2:25: model.heads: 'resnet18' has no 'heads'; it takes classes, image_size, channels"),
    ("network:", "network:\n  wifi: {bandwidth: 1 Mbit/s}",
     "c.yaml:8:3: network: expected one of 'switch', 'wifi' or 'links', got 'switch' and 'wifi'"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, faults: {mtbf: 1 h}",
     "c.yaml:6:41: nodes.hub.faults: 'mtbf' and 'mttr' go together, got 'mtbf' alone"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, faults: {schedule: [{at: 1, duration: 2}], "
     "shape: 2}",
     "c.yaml:6:76: nodes.hub.faults.shape: 'shape' belongs to 'mtbf' and 'mttr'"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, ambient: 30 °C",
     "c.yaml:6:42: nodes.hub.ambient: 'raspberry-pi-5' has no thermal figures; give its device "
     "'thermal', with resistance, time_constant, limit, release and speed"),
    ("device: raspberry-pi-4b", "device: raspberry-pi-4b, ambient: 300",
     "c.yaml:5:42: nodes.pi.ambient: expected less than 78 °C, at which 'raspberry-pi-4b' "
     "throttles no more, got 300 °C"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, battery: {capacity: 0}",
     "c.yaml:6:53: nodes.hub.battery.capacity: expected more than 0, got 0"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, host: box, battery: {capacity: 1 Wh}}\n"
     "hosts: {box: {cores: 8}",
     "c.yaml:6:44: nodes.hub.battery: 'battery' is of a whole machine, and this one shares 'box' "
     "with others"),
    ("device: raspberry-pi-5", "device: {peak: {fp32: 1 GFLOP/s}}, exhaustion: {leak: 1 MB}",
     "c.yaml:6:44: nodes.hub.exhaustion: 'hub' has no memory capacity"),
    ("traffic:", "faults: {}\ntraffic:",
     "c.yaml:9:9: faults: expected a 'schedule', or a 'file' of faults"),
    ("traffic:", "faults: {schedule: [{at: 1, duration: 1, node: hup, kind: crash}]}\ntraffic:",
     "c.yaml:9:48: faults.schedule.0.node: no node is named 'hup' (did you mean 'hub'?)"),
    ("traffic:", "faults: {schedule: [{at: 1, duration: 1, node: hub, kind: cut}]}\ntraffic:",
     "c.yaml:9:21: faults.schedule.0: 'cut' is of a link: expected 'link', got 'node'"),
    ("traffic:", "faults: {schedule: [{at: 1, duration: 1, kind: freeze}]}\ntraffic:",
     "c.yaml:9:21: faults.schedule.0: 'freeze' is of a node: expected 'node', got neither"),
    ("traffic:", "faults: {schedule: [{at: 1, duration: 1, link: hub-swich, kind: cut}]}\ntraffic:",
     "c.yaml:9:48: faults.schedule.0.link: no link is named 'hub-swich' (did you mean "
     "'hub-switch'?)"),
    ("traffic:", "faults: {schedule: [{at: 1, duration: 1, node: hub, kind: slow}]}\ntraffic:",
     "c.yaml:9:21: faults.schedule.0: 'slow' needs 'speed'"),
    ("traffic:", "faults: {schedule: [{at: 1, duration: 1, node: hub, kind: crash, speed: 0.5}]}\n"
     "traffic:",
     "c.yaml:9:66: faults.schedule.0.speed: 'speed' belongs to slow, not to crash"),
    ("traffic:", "faults: {schedule: [{at: 3, duration: 1, node: hub, kind: crash}, "
     "{at: 1, duration: 5, node: hub, kind: crash}]}\ntraffic:",
     "c.yaml:9:21: faults.schedule.0: the same fault of 'hub' that began at 1 s still lasts at "
     "3 s"),
    ("traffic:", "recovery: {standby: [hub, hub]}\ntraffic:",
     "c.yaml:9:27: recovery.standby.1: 'hub' is named twice"),
    ("traffic:", "recovery: {standby: [hup]}\ntraffic:",
     "c.yaml:9:22: recovery.standby.0: no node is named 'hup' (did you mean 'hub'?)"),
    ("traffic:", "recovery: {retry: {attempts: 0}}\ntraffic:",
     "c.yaml:9:30: recovery.retry.attempts: expected at least 1, got 0"),
    ("traffic:", "recovery: {retry: {backoff: 2 s, longest: 1 s}}\ntraffic:",
     "c.yaml:9:29: recovery.retry.backoff: expected at most 'longest', 1 s, got 2 s"),
    ("traffic:", "recovery: {reassign: {after: 1 s, source: hup}}\ntraffic:",
     "c.yaml:9:43: recovery.reassign.source: no node is named 'hup' (did you mean 'hub'?)"),
    ("traffic:", "recovery: {hedge: {}}\ntraffic:",
     "c.yaml:9:19: recovery.hedge: expected a value for 'after', such as 0.25 ms, which is not "
     "given"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, variability: lognormal",
     "c.yaml:6:46: nodes.hub.variability: lognormal needs 'cv', as in {kind: lognormal, cv: 0.2}"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, address: [a:1, b:2]",
     "c.yaml:6:42: nodes.hub.address: expected 1, one for each node, got 2"),
    ("device: raspberry-pi-5", "device: raspberry-pi-5, address: localhost",
     "c.yaml:6:33: nodes.hub.address.0: expected host:port such as 'pi-0.local:50051', got "
     "'localhost'"),
    ("hub: {device", "pi-0: {device", "c.yaml:6:3: nodes.pi-0: two nodes are named 'pi-0'"),
    ("10}\n", "10}\nbaselines: [raspberry-pi-4b, raspberry-pi-4b]\n", None),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), WRONG, ids=[new[:30] for _, new, _ in WRONG])
def test_wrong_values_are_told_where_they_stand(old: str, new: str, told: str | None) -> None:
    text = BASE.replace(old, new, 1)
    if told is None:
        told = "two baselines are named 'raspberry-pi-4b'; give one another 'name'"
    assert told in message(text)


FIRST_NODE = "{fp32: 1 GFLOP/s}, power: {idle: 1 W, busy: 3 W}}}\n  B"


@pytest.mark.parametrize(
    ("old", "new", "told"),  # the mark ¦ in the new text is where the message points
    [
        ("to: b", "to: ¦c", "model.transfers.0.to: no task is named 'c'"),
        ("node: B", "node: ¦C", "model.tasks.b.node: no node is named 'C'"),
        ("12.5 MB}", "1 B}, ¦{from: b, to: a, bytes: 1 B}",
         "model.transfers.1: tasks wait for each other: cycle a → b → a"),
        ("12.5 MB}", "1 B}, ¦{from: a, to: a, bytes: 1 B}",
         "model.transfers.1: tasks wait for each other: cycle a → a"),
        ("12.5 MB}", "1 B}, ¦{from: a, to: b, bytes: 1 B}",
         "model.transfers.1: a second transfer from 'a' to 'b'; add up their bytes"),
        ("{ab: {bandwidth: 100 Mbit/s, latency: 1 ms, ends: [A, B]",
         "{ab: ¦{bandwidth: 1 B/s, ends: [A, A]",
         "network.links.ab: link 'ab' joins 'A' to itself; expected two different ends"),
        (", ends: [A, B]", "",
         "network: link 'ab' names no ends and no route crosses it; give it 'ends', or a route"),
        ("transfers: [{from", "transfers: [¦{from",
         "model.transfers.0: node 'A' has no route to node 'B'; add a link or a route between them "
         "to 'network'"),
        ("{ab:", "{ab: {bandwidth: 1 B/s, ends: [A, ¦X]}, ac:",
         "network.links.ab.ends.1: no node is named 'X', nor a switch that another link ends at"),
        ("12.5 MB}]", "12.5 MB}]\n  name: resnet18", "model: expected one of "),
        ("12.5 MB}]", "12.5 MB}]\n  ¦classes: 10",
         "model.classes: 'classes' belongs to a model of the catalog, not to 'tasks'"),
        ("{flop: 2 GFLOP, ", "¦{",
         "model.tasks.a: expected a value for 'flop', which is not given"),
        (FIRST_NODE, FIRST_NODE.replace("fp32", "¦fp33"),
         "nodes.A.device.peak.fp33: expected one of fp64, fp32, tf32, fp16, bf16, fp8, int8, int4, "
         "got 'fp33'"),
        (FIRST_NODE, FIRST_NODE.replace("1 GFLOP/s", "¦1 GB/s"),
         "nodes.A.device.peak.fp32: 'GB/s' is no unit of flop rate"),
        (FIRST_NODE, FIRST_NODE.replace("idle: 1 W", "idle: ¦-1 W"),
         "nodes.A.device.power.idle: expected at least 0, got '-1 W'"),
    ],
)  # fmt: skip
def test_wrong_task_graphs(old: str, new: str, told: str) -> None:
    text = changed(old, new, TASKS)
    if "no route to" in told:
        text = changed("ends: [A, B]", "ends: [A, sw]}, cd: {bandwidth: 1 B/s, ends: [B, sx]}, "
                       "ef: {bandwidth: 1 B/s, ends: [A, sw]}, gh: {bandwidth: 1 B/s, "
                       "ends: [B, sx]", text)  # fmt: skip
    marked = text.find("¦")
    where = ""
    if marked >= 0:
        line, column = text.count("\n", 0, marked) + 1, marked - text.rfind("\n", 0, marked)
        where = f"c.yaml:{line}:{column}: "
    assert where + told in message(text.replace("¦", ""))


def test_missing_sections() -> None:
    assert message("name: x") == "\n".join(
        f"c.yaml:1:1: expected a value for '{key}', which is not given"
        for key in ("model", "nodes", "traffic")
    )


@pytest.mark.parametrize(("text", "came"), [("- a", "a list"), ("5", "5"), ("a b", "'a b'")])
def test_no_mapping(text: str, came: str) -> None:
    told = f"c.yaml:1:1: expected a mapping with 'model', 'nodes' and more, got {came}"
    assert message(text) == told


def test_all_problems_are_told_at_once_in_order_of_the_file() -> None:
    text = BASE.replace("classes: 10", "classes: ten").replace("0.5/s", "fast")
    text = text.replace("raspberry-pi-5", "raspberry-pi-6").replace("input: hub", "input: hup")
    lines = message(text).split("\n")
    assert [re.match(r"c\.yaml:(\d+):\d+: ", line)[1] for line in lines] == ["2", "3", "6", "9"]  # type: ignore[index]


def test_many_problems_are_counted() -> None:
    text = "".join(f"key{number}: 1\n" for number in range(30))
    with pytest.raises(ScenarioError) as caught:
        load(text)
    # Thirty unknown keys and three sections that are missing.
    assert len(caught.value.problems) == 33
    lines = str(caught.value).split("\n")
    assert len(lines) == 21
    assert lines[-1] == "… and 13 more"


def test_long_keys_and_values_are_cut() -> None:
    assert len(message(f"{'k' * 5000}: 1").split("\n")[-1]) < 300
    assert len(message(changed("0.5/s", "x" * 5000))) < 200


def test_one_wrong_section_does_not_hide_another_nor_invent_one() -> None:
    # Node `hub` is left out for its wrong key; what names it is not called wrong.
    text = changed("{device: raspberry-pi-5}", "{device: raspberry-pi-5, cpu: 4}")
    assert message(text).count("\n") == 0

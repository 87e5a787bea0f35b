"""``--set key.path=value``."""

from __future__ import annotations

import pytest

from edgesim.scenario import ScenarioError, from_mapping
from tests.edgesim.scenario.cases import BASE, TASKS, changed, load, message


def test_values_keep_their_types() -> None:
    scenario = load(
        BASE,
        "traffic.rate=2/s",
        "traffic.requests = 1e2",
        "nodes.pi.count=3",
        "model.precision=int8",
        "name=no",
        "seed=0x10",
    )
    assert scenario.traffic.rate_per_s == 2.0
    assert scenario.traffic.requests == 100
    assert list(scenario.cluster.nodes) == ["pi-0", "pi-1", "pi-2", "hub"]
    assert scenario.placement.model.precision == "int8"
    assert scenario.name == "no"
    assert scenario.seed == 16


def test_mappings_on_the_way_are_made() -> None:
    node = load(BASE, "nodes.pi.batch.max=4", "nodes.pi.batch.wait=3 ms").cluster.nodes["pi-0"]
    assert (node.batch.max, node.batch.wait_s) == (4, 0.003)


def test_nothing_unsets_a_key() -> None:
    text = f"{BASE}recovery: {{standby: [hub], retry: {{}}}}\n"
    # What `run --mode real` says to do about standby, which only a simulation has.
    unset = load(text, "recovery.standby=", "recovery.retry=").recovery
    assert (unset.standby, unset.retry) == ((), None)


def test_another_strategy_leaves_out_the_keys_that_it_does_not_take() -> None:
    split = changed("single, input: hub", "class-wise, submodels: 2, input: hub, fusion: hub")
    scenario = load(split, "placement.strategy=replicate", "placement.nodes=[pi]")
    assert scenario.strategy == "replicate"
    assert scenario.placement.nodes == ("pi-0", "pi-1")
    assert scenario.notes == (
        "placement.strategy replicate does not take submodels, fusion: left out",
    )
    # The resolved document runs again as it is, without a note.
    again = from_mapping(scenario.document)
    assert (again.strategy, again.notes) == ("replicate", ())
    # Its own keys stay; a key that is set beside it is the user's word, and still refused.
    assert load(split, "placement.strategy=class-wise").notes == ()
    with pytest.raises(ScenarioError, match=r"'submodels' belongs to class-wise, not to replicate"):
        load(split, "placement.submodels=3", "placement.strategy=replicate")
    with pytest.raises(ScenarioError, match="did you mean 'replicate'"):
        load(split, "placement.strategy=replicat")


def test_lists_and_mappings_are_yaml() -> None:
    scenario = load(BASE, "baselines=[raspberry-pi-4b, {device: raspberry-pi-5, name: five}]")
    assert [one.name for one in scenario.baselines] == ["raspberry-pi-4b", "five"]
    scenario = load(BASE, "baselines=[raspberry-pi-4b]", "baselines.0=raspberry-pi-5")
    assert [one.name for one in scenario.baselines] == ["raspberry-pi-5"]
    scenario = load(BASE, "traffic={arrivals: closed, requests: 3, concurrency: 2}")
    assert scenario.traffic.concurrency == 2


def test_entries_of_lists() -> None:
    assert load(TASKS, "model.transfers.0.bytes=1 kB").placement.model.transfers[0].bytes == 1000


def test_new_nodes_may_be_named_like_others() -> None:
    assert "hub2" in load(BASE, "nodes.hub2.device=raspberry-pi-5").cluster.nodes


def test_nothing_unsets() -> None:
    assert list(load(BASE, "nodes.pi.count=").cluster.nodes) == ["pi", "hub"]
    assert not load(BASE, "network=null").cluster.network.links


def test_later_settings_win_and_the_seed_option_last() -> None:
    assert load(BASE, "seed=1", "seed=2").seed == 2
    assert load(BASE, "seed=1", seed=3).seed == 3


def test_keys_with_dots() -> None:
    text = BASE.replace("hub", "hub.local")
    assert load(text, "nodes.hub.local.queue=priority").cluster.nodes["hub.local"].queue.order == (
        "priority"
    )


def test_what_is_set_is_in_the_resolved_scenario() -> None:
    document = load(BASE, "traffic.rate=2/s", seed=9).document
    assert document["seed"] == 9
    assert document["traffic"] == {"arrivals": "poisson", "rate": "2/s", "requests": 10}


def test_anchors_are_not_shared() -> None:
    text = BASE.replace("{device: raspberry-pi-4b, count: 2}", "&a {device: raspberry-pi-4b}")
    text = text.replace("{device: raspberry-pi-5}", "*a")
    nodes = load(text, "nodes.pi.queue=priority").cluster.nodes
    assert (nodes["pi"].queue.order, nodes["hub"].queue.order) == ("priority", "fifo")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("traffic.rate", "expected KEY.PATH=VALUE, as in traffic.rate=2/s"),
        ("=2", "expected KEY.PATH=VALUE, as in traffic.rate=2/s"),
        ("traffic..rate=2", "expected KEY.PATH=VALUE, as in traffic.rate=2/s"),
        ("trafic.rate=2", "no key 'trafic' here (did you mean 'traffic'?)"),
        ("traffic.rat=2",
         "traffic.rat: unknown key 'rat' (did you mean 'rate'?)"),
        ("traffic.rate.x=2", "traffic.rate is '0.5/s', which has no 'x'"),
        ("traffic.rate=fast", "traffic.rate: expected a quantity such as '0.5/s', got 'fast'"),
        ("traffic.rate=-1/s", "traffic.rate: expected more than 0, got '-1/s'"),
        ("traffic.rate={a: 1", "the value is no YAML: the text ends inside a list or mapping"),
        ("traffic=null", "traffic: expected a mapping, got nothing"),
        ("nodes=[]", "nodes: expected a mapping, got a list"),
        ("nodes.px.count=3", "no node is named 'px'; a new one needs a device"),
        ("baselines.0=x", "baselines: expected a list, got a mapping"),
        ("zzz=1", "zzz: unknown key 'zzz'; known keys: name, seed, model"),
        ("\udcff=1", "expected a key in UTF-8"),
        ("name=\udcff", "half of a character"),
    ],
)  # fmt: skip
def test_wrong_settings_are_told_as_such(setting: str, told: str) -> None:
    lines = message(BASE, [setting]).split("\n")
    assert all(line.startswith(f"--set {setting}: ") for line in lines)
    assert told in lines[0] or told in lines[-1]


def test_lists_tell_their_entries() -> None:
    base = BASE + "baselines: [raspberry-pi-4b, raspberry-pi-5]\n"
    for index in ("2", "-1", "x", "99999999999999"):
        told = f"expected an entry of baselines, 0 to 1, got '{index}'"
        assert told in message(base, [f"baselines.{index}=a"])
    assert "baselines is empty; set it whole" in message(
        BASE + "baselines: []\n", ["baselines.0=a"]
    )


def test_wrong_settings_and_wrong_lines_are_told_together() -> None:
    text = BASE.replace("count: 2", "count: two")
    told = message(text, ["traffic.rate=fast", "trafic.x=1"])
    assert "--set trafic.x=1: no key" in told
    assert "c.yaml:5:40: nodes.pi.count" in told
    assert "--set traffic.rate=fast: traffic.rate" in told


def test_a_key_of_a_node_that_is_not_there_names_the_nearest() -> None:
    assert message(BASE, ["nodes.pii.count=3"]) == (
        "--set nodes.pii.count=3: no node is named 'pii' (did you mean 'pi'?)"
    )
    # A new node has a device, before or after its other keys.
    new = load(BASE, "nodes.pii.count=3", "nodes.pii.device=raspberry-pi-5")
    assert "pii-2" in new.cluster.nodes

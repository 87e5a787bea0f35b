"""Five nodes and a hub on machines of their own: answers, bytes, strangers, and what may fail.

Machines are network namespaces with rate-limited links. Where there can be none, the same nodes
are on loopback, the name of each test says so, and those that are about links are skipped.
"""

from __future__ import annotations

from pathlib import Path

import torch

from tests.edgesim.serve.cluster import fresh_keys, fused
from tests.edgesim.serve.five import HUB, PIS, Five, needs_links
from tests.edgesim.serve.insider import noise

ALL = (True,) * len(PIS)
IMAGE_BYTES = 32 * 32 * 4
PATIENT = {"deadline_s": 60.0, "health": {"interval_s": 30.0}, "patience_s": 60.0}
"""No failure is expected, and none shall come of a busy machine."""


@needs_links
def test_nodes_have_networks_of_their_own(cluster: Five) -> None:
    assert len({one.inference.partition(":")[0] for one in cluster.nodes.values()}) == 6


def test_answers_are_those_of_the_artifact_bit_for_bit(cluster: Five) -> None:
    images = noise(12)
    seen, told = cluster.play(
        traffic="{arrivals: poisson, rate: 40/s, requests: 60}", images=12, **PATIENT
    )
    assert {name: count for name, count in told["outcomes"].items() if count} == {"completed": 60}
    expected = [fused(torch.from_numpy(one)) for one in images.pixels]
    for one in seen:
        assert one.parts_answered == list(ALL)
        assert torch.equal(torch.tensor(one.logits), expected[one.number % 12])


@needs_links
def test_bytes_of_a_run_are_those_that_the_kernel_counts_and_its_headers(cluster: Five) -> None:
    before = {name: sum(cluster.net.carried(name)) for name in (HUB, *PIS)}
    _, told = cluster.play(traffic="{arrivals: closed, requests: 40}", **PATIENT)
    for name in (HUB, *PIS):
        kernel = sum(cluster.net.carried(name)) - before[name]
        assert told["links"][f"{name}-switch"] < kernel < 1.3 * told["links"][f"{name}-switch"]


@needs_links
def test_a_payload_takes_no_less_than_its_bytes_over_the_rate(cluster: Five) -> None:
    samples = 64
    seen, _ = cluster.play(
        traffic=f"{{arrivals: closed, requests: 4, samples: {samples}}}", images=64, **PATIENT
    )
    rate = cluster.net.rate
    assert rate is not None
    least_s = (len(PIS) * samples * IMAGE_BYTES - rate.burst_bytes) / rate.byte_s
    for one in seen:
        # Five questions share the hub's link: the last one is there when all of them are.
        assert max(one.ways_s) >= least_s


def test_strangers_are_refused(cluster: Five, tmp_path: Path) -> None:
    rogue = fresh_keys(tmp_path / "rogue")
    known, address = str(cluster.keys / "client"), cluster.nodes["pi-3"].inference
    strangers = {
        "without TLS": (None, None),
        "without a certificate": (None, known),
        "with another authority's": (str(rogue / "client"), known),
        "with a node's": (str(cluster.keys / cluster.net.addresses["pi-3"]), known),
    }
    for what, (keys, trusts) in strangers.items():
        found = cluster.hub.ask("live", address=address, keys=keys, trusts=trusts)
        assert found == {"code": "UNAVAILABLE"}, what
    found = cluster.hub.ask("live", address=address, keys=known, trusts=None)
    assert found == {"code": "OK"}

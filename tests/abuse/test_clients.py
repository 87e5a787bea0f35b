"""A node that is flooded, or left waiting, in small: what it holds, and whether it answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.abuse.clients import LARGE, MIB, Attacked, Http2, Watch, attacked, calling, message
from tests.abuse.soak import held
from tests.edgesim.serve.cluster import Client

MOST_MIB = 64.0
"""More than at rest; see SECURITY.md."""
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(),
    reason="only Linux tells the peak of another process",
)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("attacked")) as found:
        yield found


@pytest.mark.parametrize(
    ("connections", "withheld"), [(1, 0), (2, 0), (1, 1), (4, 1)],
    ids=["1 flooding", "2 flooding", "1 unfinished", "4 unfinished"],
)  # fmt: skip
def test_a_node_holds_little_and_answers(one: Attacked, connections: int, withheld: int) -> None:
    with Client(one.node.inference, one.keys / "client") as client:

        def ask() -> None:
            client.infer("part-0", {"input": one.image}, timeout=60.0)

        ask()
        rest = held(one.pid)[0]
        peers = one.peers(connections, 40, LARGE, withheld)
        watch, least = Watch(one.pid, ask), LARGE - withheld
        with calling(peers, 100.0):
            begun_s = time.monotonic()
            watch.during(
                100.0,
                lambda: any(peer.sent >= least for peer in peers) and len(watch.seconds) >= 20,
            )
            assert time.monotonic() - begun_s < 100.0
    assert (len(watch.seconds) >= 20, watch.failed) == (True, [])
    assert any(peer.sent >= least for peer in peers)
    assert watch.most_mib - rest < MOST_MIB


def test_a_message_that_is_too_large_is_refused_at_its_first_bytes(one: Attacked) -> None:
    # Of each message only the five bytes are ever sent that say how large it is.
    data, calls = message("none", round(15.9 * MIB)), 100
    peer = Http2(one.node.inference, one.keys / "client", data, calls, withheld=len(data) - 5)
    rest = held(one.pid)[0]
    with calling([peer], 100.0):
        until_s = time.monotonic() + 100.0
        while peer.ended < calls and not peer.closed and time.monotonic() < until_s:
            time.sleep(0.05)
    assert (peer.ended, peer.sent, peer.closed) == (calls, 5 * calls, False)
    assert all(b"Received message larger than max" in one for one in peer.trailers)
    assert held(one.pid)[0] - rest < MOST_MIB

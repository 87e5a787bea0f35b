"""From keys to answers over mutual TLS, by the commands that the README shows."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.edgesim.command import ROOT, assert_fails, document, edgesim
from tests.edgesim.serve.cluster import fresh_keys, node

ONE_PART = ROOT / "examples" / "fashion-1"


def test_a_cluster_answers_those_who_have_its_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    assert edgesim("keys", keys).returncode == 0
    with (
        node(tmp_path / "hub", keys / "localhost") as hub,
        node(tmp_path / "pi", keys / "localhost") as pi,
    ):
        file = tmp_path / "scenario.yaml"
        nodes = {
            name: {"device": "raspberry-pi-4b", "address": one.inference}
            for name, one in (("hub", hub), ("pi", pi))
        }
        wanted = {
            "model": {"artifact": str(ONE_PART)},
            "placement": {"strategy": "class-wise", "input": "hub", "fusion": "hub"},
            "nodes": nodes,
            "network": {"switch": {"bandwidth": "1 Gbit/s", "latency": "0.25 ms"}},
            "traffic": {"arrivals": "closed", "requests": 5},
        }
        file.write_text(yaml.safe_dump(wanted))
        admins = [f"--admin={name}={one.admin}" for name, one in (("hub", hub), ("pi", pi))]
        done = edgesim("deploy", file, ONE_PART, "--keys", keys / "admin", *admins)
        assert done.returncode == 0, done.stderr

        run = ("run", file, "--mode", "real", "--deadline", "1 min", "--out", tmp_path / "out")
        answered = document(edgesim(*run, "--keys", keys / "client", "--json").stdout)
        assert answered["requests"] == {
            "offered": 5, "completed": 5, "degraded": 0, "failed": 0,
        }  # fmt: skip

        rogue = fresh_keys(tmp_path / "rogue")
        refused = edgesim(*run, "--keys", rogue / "client")
        assert_fails(refused, 2, ["'hub'", "shows a certificate that these keys do not trust"])
        stranger = edgesim("deploy", file, ONE_PART, "--keys", rogue / "admin", *admins)
        assert stranger.returncode == 2
        assert stranger.stderr == "edgesim: not deployed to hub, pi\n"
        # A client may ask, and not deploy.
        assert_fails(edgesim("deploy", file, ONE_PART, "--keys", keys / "client", *admins), 2)

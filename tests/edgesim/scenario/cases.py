"""A small scenario that tests change one line of."""

from __future__ import annotations

from collections.abc import Sequence

from edgesim.common.errors import InputError
from edgesim.scenario import Scenario, load_text

BASE = """\
name: small
model: {name: vit_tiny_patch16_224, classes: 10}
placement: {strategy: single, input: hub}
nodes:
  pi: {device: raspberry-pi-4b, count: 2}
  hub: {device: raspberry-pi-5}
network:
  switch: {bandwidth: 1 Gbit/s, latency: 0.25 ms}
traffic: {arrivals: poisson, rate: 0.5/s, requests: 10}
"""
TASKS = """\
name: tasks
model:
  tasks: {a: {flop: 2 GFLOP, node: A}, b: {flop: 1 GFLOP, node: B, memory: 10 MB}}
  transfers: [{from: a, to: b, bytes: 12.5 MB}]
nodes:
  A: {device: {peak: {fp32: 1 GFLOP/s}, power: {idle: 1 W, busy: 3 W}}}
  B: {device: {peak: {fp32: 1 GFLOP/s}, power: {idle: 1 W, busy: 3 W}}}
network:
  links: {ab: {bandwidth: 100 Mbit/s, latency: 1 ms, ends: [A, B]}}
traffic: {arrivals: closed, requests: 1}
"""


def changed(old: str, new: str, text: str = BASE) -> str:
    """Return the scenario with one piece of text replaced."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def load(text: str, *settings: str, seed: int | None = None) -> Scenario:
    """Read a scenario; messages call it ``c.yaml``."""
    return load_text(text, "c.yaml", settings, seed)


def message(text: str, settings: Sequence[str] = (), seed: int | None = None) -> str:
    """Return what a wrong scenario is told."""
    try:
        load_text(text, "c.yaml", settings, seed)
    except InputError as error:
        return str(error)
    raise AssertionError(f"accepted:\n{text}")

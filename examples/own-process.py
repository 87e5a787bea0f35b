"""Two processes of your own beside a simulation: a thermal governor, and an operator at night.

    python examples/own-process.py

A gateway sends images to a board that stands outside, over a radio link. The *governor* is a
thermal model with a policy of its own: it runs the board at half speed when the die is hot. The
*operator* switches the radio off every night; images that are due then wait at the gateway.

A process is a generator function of SimPy. It waits for events of `simulation.env`, reads nodes
and links, and controls them: see docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Generator
from math import exp, inf, log
from typing import Any

import simpy

import edgesim
from edgesim.simulate import Simulation

HOUR_S = 3600.0
AMBIENT_C = 45.0
RESISTANCE_K_W = 3.0
TIME_CONSTANT_S = 300.0
HOT_C, COOL_C = 78.0, 72.0
SLOW = 0.5

SCENARIO = {
    "name": "own-process",
    "model": {"name": "vit_large_patch16_224", "classes": 10},
    "placement": {"strategy": "single", "input": "gateway", "nodes": ["board"]},
    "nodes": {
        "gateway": {"device": "raspberry-pi-zero-2-w"},
        "board": {"device": "raspberry-pi-5"},
    },
    "network": {
        "links": {
            "radio": {"ends": ["gateway", "board"], "bandwidth": "20 Mbit/s", "latency": "20 ms"}
        }
    },
    # A day: an image every eight seconds.
    "traffic": {"arrivals": "periodic", "rate": "0.125/s", "requests": 10_800},
}


def steady_c(watts: float) -> float:
    """Return the temperature at which the die stays at constant power, in °C."""
    return AMBIENT_C + RESISTANCE_K_W * watts


def reaches_s(celsius: float, watts: float, target_c: float) -> float:
    """Return after how many seconds at constant power the die has ``target_c``; never is inf."""
    ratio = (celsius - steady_c(watts)) / (target_c - steady_c(watts) or inf)
    return TIME_CONSTANT_S * log(ratio) if ratio >= 1.0 else inf


def governor(simulation: Simulation) -> Generator[simpy.Event, Any, None]:
    """Run the board at half speed from `HOT_C` on, until it has cooled to `COOL_C`."""
    env, board = simulation.env, simulation.nodes["board"]
    celsius, slow = steady_c(board.power_w), False
    while True:
        since_s, watts = env.now, board.power_w
        wait_s = reaches_s(celsius, watts, COOL_C if slow else HOT_C)
        limit = env.timeout(wait_s) if wait_s < inf else env.event()
        happened = yield limit | board.changed()
        # The power was constant: the temperature is exact (an exponential).
        passed = exp(-(env.now - since_s) / TIME_CONSTANT_S)
        celsius = steady_c(watts) + (celsius - steady_c(watts)) * passed
        if limit in happened:
            slow = not slow
            simulation.record("board", "governor", f"{celsius:.1f} °C")
            board.set_speed(SLOW if slow else 1.0)


def operator(simulation: Simulation) -> Generator[simpy.Event, Any, None]:
    """Switch the radio off from 22:00 to 6:00; the run starts at 18:00."""
    radio = simulation.links["radio"]
    yield simulation.env.timeout(4 * HOUR_S)
    while True:
        radio.switch_off()
        yield simulation.env.timeout(8 * HOUR_S)
        radio.switch_on()
        yield simulation.env.timeout(16 * HOUR_S)


def main() -> None:
    """Run it without a process, with each of them, and with both."""
    scenario = edgesim.load(SCENARIO)
    print(f"{'processes':<22} {'median':>10} {'p99':>10} {'energy':>10} {'slow':>7}")
    for processes in ([], [governor], [operator], [governor, operator]):
        result = scenario.run(processes=processes)
        summary = result.summary
        median_s, p99_s = (summary["latency_s"][name] for name in ("p50", "p99"))
        slow_s = 0.0
        if summary["faults"] is not None:
            slow_s = summary["faults"]["nodes"].get("board", {}).get("slow_s", 0.0)
        print(
            f"{' and '.join(one.__name__ for one in processes) or 'none':<22} "
            f"{median_s / 60:6.1f} min {p99_s / 60:6.1f} min "
            f"{summary['energy_j']['total'] / 1e6:7.3f} MJ {slow_s / HOUR_S:5.1f} h"
        )


if __name__ == "__main__":
    main()

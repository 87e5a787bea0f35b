"""Runs the properties of the engine on many more random systems than the tests do.

``python -m tests.edgesim.simulate.long --systems 10000 --seed 1`` prints a line for each property,
and the smallest system for which one does not hold. Another seed gives other systems.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.edgesim.simulate import test_conservation as conservation
from tests.edgesim.simulate import test_one_engine as one_engine

SEEDS = st.integers(0, 3)
WHOLE, FAULTY = (conservation.systems(faulty=faulty) for faulty in (False, True))
PROPERTIES: dict[str, tuple[Callable[..., None], tuple[st.SearchStrategy[Any], ...]]] = {
    "nothing-fails": (
        one_engine.test_a_run_in_which_nothing_fails_is_the_run_in_which_nothing_can,
        (WHOLE, SEEDS, one_engine.RECOVERIES),
    ),
    "arrives": (conservation.test_without_faults_everything_arrives, (WHOLE, SEEDS)),
    "outcomes": (
        conservation.test_with_faults_every_request_has_one_outcome,
        (FAULTY, SEEDS),
    ),
    "repeats": (conservation.test_the_same_seed_gives_the_same_bytes, (FAULTY, SEEDS)),
    "cores": (conservation.test_a_node_never_runs_more_than_its_cores, (WHOLE,)),
}


def hold(name: str, systems: int, draws: int) -> str:
    """Return what went wrong with a property on so many systems; empty where it holds."""
    test, strategies = PROPERTIES[name]
    inner = test.hypothesis.inner_test  # type: ignore[attr-defined]

    def prove(drawn: tuple[Any, ...]) -> None:
        inner(*drawn)

    chosen = settings(
        max_examples=systems, database=None, deadline=None, derandomize=False,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    try:
        chosen(seed(draws)(given(st.tuples(*strategies))(prove)))()
    except Exception:
        return traceback.format_exc()
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the properties that are asked for; return 1 where one does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.edgesim.simulate.long", description=__doc__
    )
    parser.add_argument("--systems", type=int, default=1000, help="for each property")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument(
        "properties", nargs="*", help=f"of {', '.join(PROPERTIES)}; all unless given"
    )
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.properties) - set(PROPERTIES))
    if unknown or asked.systems < 1:
        wrong = f"unknown: {', '.join(unknown)}" if unknown else "--systems must be at least 1"
        parser.error(f"{wrong}; the properties are {', '.join(PROPERTIES)}")
    status = 0
    for name in asked.properties or PROPERTIES:
        begin = time.perf_counter()
        wrong = hold(name, asked.systems, asked.seed)
        said = "does not hold" if wrong else "holds"
        took_s = time.perf_counter() - begin
        print(f"{name:14} {asked.systems:8,} systems {took_s:8.1f} s  {said}", flush=True)
        if wrong:
            print(wrong, flush=True)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())

"""Simulate models in one simulator: a line of JSON in, a line of JSON out, until the input ends.

    python worker.py NAME

Each line of the input is a path: a JSON document of the model's kind and its parameters. The answer
has the processor seconds of all threads that building and running it took, and its figures.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from types import ModuleType


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    # What a simulator prints of itself is no answer.
    os.dup2(2, 1)
    name = sys.argv[1]
    beside = name == "with_simgrid"
    model = importlib.import_module(name if beside else f"tests.benchmarks.peers.{name}")
    gc.freeze()
    for line in sys.stdin:
        # A process of its own for each model: SimGrid has one engine in a process, for ever.
        child = os.fork()
        if not child:
            print(json.dumps(simulated(model, json.loads(line))), file=answers, flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(1)


def simulated(model: ModuleType, path: str) -> dict[str, float]:
    """Return seconds and figures of the model in a file."""
    with open(path) as file:
        given = json.load(file)
    gc.collect()
    begin_s = time.process_time()
    values = getattr(model, given["kind"])(given)
    seconds = time.process_time() - begin_s
    return {"seconds": seconds, "mean": sum(values) / len(values), "most": max(values)}


if __name__ == "__main__":
    main()

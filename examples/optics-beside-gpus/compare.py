"""Compare 4f accelerators with graphics cards: light alone, and with data movement.

    python examples/optics-beside-gpus/compare.py

computes 1,040 accelerators for each of five models, and writes tables and pictures to
examples/results/. It takes about one minute on one core and does not import torch. ``--grid MODEL``
only computes the grid of one model and prints its time.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from costs import MODELS
from page import text
from what_ifs import Grid, fill

from edgesim.common.errors import InputError
from edgesim.common.files import write_text

RESULTS = Path(__file__).parents[1] / "results"


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="Where does light win beside graphics cards?")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="of the results")
    parser.add_argument("--grid", metavar="MODEL", help="only fill the grid of one model")
    return parser.parse_args(arguments)


def told(grid: Grid) -> str:
    """Return how long a grid took."""
    each_ms = 1e3 * grid.processor_s / grid.settings
    return (
        f"{grid.settings:,} accelerators run {grid.model} in {grid.wall_s:.2f} s, "
        f"{each_ms:.2f} ms of the processor each"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the study; return the exit status."""
    chosen = parsed(arguments)
    begun_s = time.perf_counter()
    try:
        if chosen.grid:
            print(told(fill(chosen.grid)))
            return 0
        grids = []
        for name in MODELS:
            grids.append(fill(name))
            print(told(grids[-1]), flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from pictures import draw_claim, draw_map

    chosen.out.mkdir(parents=True, exist_ok=True)
    draw_map(grids, chosen.out / "optics-beside-gpus-map.png")
    draw_claim(chosen.out / "optics-beside-gpus-claim.png")
    path = chosen.out / "optics-beside-gpus.md"
    write_text(path, text(grids))
    print(f"wrote {path} and two pictures in {time.perf_counter() - begun_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

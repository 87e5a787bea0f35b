"""``python -m partition FILE -o DIR``: make an artifact without the simulator."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from partition.errors import PartitionError
from partition.pipeline import run
from partition.progress import ConsoleProgress, silent
from partition.scenario import load_recipe


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 1 the run failed, 2 wrong input."""
    parser = argparse.ArgumentParser(
        prog="python -m partition",
        description="Split a Vision Transformer by classes, prune, tune and fuse the parts.",
    )
    parser.add_argument("file", type=Path, help="scenario with model.training, or a recipe")
    parser.add_argument("-o", "--out", type=Path, required=True, help="artifact folder")
    parser.add_argument("--work", type=Path, help="folder of finished steps (OUT.work)")
    parser.add_argument("--parts", type=int, help="in place of the recipe's split.parts")
    parser.add_argument("--heads", type=int, help="in place of the recipe's pruning.heads")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    chosen = parser.parse_args(arguments)
    # One thread is what makes the bytes the same on every machine with the same processor.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        recipe = load_recipe(chosen.file)
        if chosen.parts is not None:
            recipe = recipe.with_parts(chosen.parts)
        if chosen.heads is not None:
            recipe = replace(recipe, pruning=replace(recipe.pruning, heads=chosen.heads))
        with nullcontext(silent) if chosen.quiet else ConsoleProgress() as progress:
            manifest = run(recipe, chosen.out, progress, work_dir=chosen.work)
    except PartitionError as error:
        print(f"partition: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("partition: interrupted; the same command goes on from here", file=sys.stderr)
        return 1
    whole, fused = manifest.unsplit, manifest.fusion
    largest = max(part.bytes for part in manifest.parts)
    print(
        f"{chosen.out}: {len(manifest.parts)} parts of at most {largest / 2**20:.3f} MiB, "
        f"{fused.accuracy:.2%}; unsplit {whole.bytes / 2**20:.3f} MiB, "
        f"{whole.accuracy:.2%}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

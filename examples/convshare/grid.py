"""Twelve ConvShareViTs and a plain ViT: which of them learn attention?

    python examples/convshare/grid.py --jobs 2

trains attention of {shared, unshared} x {valid, same} convolutions with an MLP of {linear, shared
valid, shared same} layers, with three seeds each, and prints a table: accuracy, parameters, and the
attention of the class token (see :mod:`optics.convshare.attention_score`). Finished runs are stored
in the work folder. An interrupted command continues within its run when it is given again, and
gives the same bytes. Several such commands can share the folder. It takes about one hour of
processor time, half of that on two cores; ``--full`` is for a GPU. ``--so-far`` shows the finished
runs, ``--table`` prints the table of stored figures again, and ``--page`` writes it into a page.

CIFAR-100 needs ``--data cifar-100 --folder DIR``, the folder of its authors' binary archive.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from grid_experiments import EXPERIMENTS, SMALL, named, setting
from grid_jobs import Bars, Order, in_processes, make_all
from grid_run import Run, make
from grid_table import gather, load, markdown, put_into, save

from optics.errors import InputError as OpticsError
from partition.data import open_data
from partition.errors import InputError, PartitionError
from partition.progress import silent

EXAMPLES = Path(__file__).parents[1]
STORED = EXAMPLES / "results" / "convshare-grid.json"
WORK = EXAMPLES.parent / "runs" / "convshare.work"


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description="Which ConvShareViTs learn attention?")
    parser.add_argument("--data", default="fashion-mnist", help=f"one of {', '.join(SMALL)}")
    parser.add_argument("--folder", help="folder of the images, where no system package has them")
    parser.add_argument("--full", action="store_true", help="all images and a larger model")
    parser.add_argument("--images", type=int, help="training images; 0 for all")
    parser.add_argument("--epochs", type=int, help="epochs of training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--experiments", nargs="+", default=[], metavar="NAME",
                        help=f"of {', '.join(EXPERIMENTS)}; vit is always trained")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each")
    parser.add_argument("--device", choices=("cpu", "cuda"),
                        help="default: cpu; with --full cuda where there is one")  # fmt: skip
    parser.add_argument("--work", type=Path, default=WORK, help="folder of finished runs")
    parser.add_argument("--out", type=Path, help="file of the figures (WORK/grid.json)")
    parser.add_argument("--table", type=Path, nargs="?", const=STORED, metavar="FILE",
                        help="only print the table of stored figures")  # fmt: skip
    parser.add_argument("--so-far", action="store_true",
                        help="train nothing; the table of the runs that are finished")  # fmt: skip
    parser.add_argument("--page", type=Path, help="file in Markdown whose table is replaced")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser.parse_args(arguments)


def device_of(chosen: argparse.Namespace) -> str:
    """Return the device of the training.

    Raises:
        InputError: cuda is requested and torch finds no such device.
    """
    there = torch.cuda.is_available()
    if chosen.device == "cuda" and not there:
        raise InputError("--device cuda: torch sees no such device; leave it out")
    return chosen.device or ("cuda" if chosen.full and there else "cpu")


def order_of(chosen: argparse.Namespace) -> Order:
    """Return the runs in their order: all experiments of the first seed, then of the next.

    Raises:
        InputError: an experiment, data set or number is wrong, or images are missing.
    """
    if len(set(chosen.seeds)) < len(chosen.seeds) or min(chosen.seeds) < 0:
        raise InputError(f"--seeds must be different numbers from 0 on, not {chosen.seeds}")
    if chosen.jobs < 1:
        raise InputError(f"--jobs must be at least 1, not {chosen.jobs}")
    experiments = named(chosen.experiments)
    common = setting(
        chosen.data, full=chosen.full, folder=chosen.folder, images=chosen.images,
        epochs=chosen.epochs,
    )  # fmt: skip
    data = open_data(common.data)
    runs = [
        Run(experiment, seed, common.key(experiment, seed, data))
        for seed in chosen.seeds
        for experiment in experiments
    ]
    return Order(tuple(runs), common, chosen.work, device_of(chosen))


def figures_of(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of the grid: stored, of the finished runs, or of all runs.

    Runs that are not finished are trained, except with ``--table`` or ``--so-far``.

    Raises:
        PartitionError: a run failed.
        InputError: the command line is wrong, or no run is finished.
    """
    if chosen.table is not None:
        return load(chosen.table)
    order = order_of(chosen)
    if chosen.so_far:
        there = tuple(run for run in order.runs if run.file(order.work).exists())
        if not there:
            raise InputError(f"no run of this grid is finished in {order.work}; leave out --so-far")
        order = replace(order, runs=there)
    with Bars(order, quiet=chosen.quiet) as bars:
        if order.finished() < len(order.runs) and chosen.jobs > 1:
            in_processes(order, chosen.jobs, bars)
        else:
            make_all(order, bars)
    data, device = open_data(order.setting.data), torch.device(order.device)
    made = [make(run, data, order.setting, order.work, device, silent) for run in order.runs]
    gathered = gather(made, order.setting, data)
    save(chosen.out or order.work / "grid.json", gathered)
    return gathered


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 1 the run failed, 2 wrong input."""
    chosen = parsed(arguments)
    # With one thread the bytes are the same on every machine with the same processor.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        table = markdown(figures_of(chosen))
        if chosen.page is not None:
            put_into(chosen.page, table)
        print(table, end="")
    except (PartitionError, OpticsError) as error:
        print(f"grid: {error}", file=sys.stderr)
        return getattr(error, "exit_status", 2)
    except KeyboardInterrupt:
        print("grid: interrupted; the same command continues from here", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

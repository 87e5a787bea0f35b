"""Figures of the grid: gathered from runs, stored in a small file, and printed as a table."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from grid_experiments import EXPERIMENTS, MLP, REFERENCE, UNTRAINED, Setting
from torch import Tensor

from edgesim.results.statistics import interval
from optics.convshare.attention_score import agreement, attention_score
from partition.data import Data
from partition.errors import InputError
from partition.files import write_atomic

Figures = dict[str, Any]

MARKS = ("<!-- table -->", "<!-- end of table -->")
"""Lines of a page that enclose its table."""


def gather(made: Sequence[tuple[Tensor, Figures]], setting: Setting, data: Data) -> dict[str, Any]:
    """Return the setting, and the figures of every run.

    A run's attention score is the mean of its scores against every reference except itself.
    Attention may depend on the class alone: ``within_class`` is the score after the mean map of
    each class is subtracted from the maps of both models.

    Args:
        made: maps and figures of every run.
        setting: setting of all runs.
        data: images of the runs.
    """
    references = [(figures["seed"], maps) for maps, figures in made
                  if figures["experiment"] == REFERENCE.name]  # fmt: skip
    labels = data.test.labels[: setting.scored]
    runs = []
    for maps, figures in made:
        others = [
            reference
            for seed, reference in references
            if (figures["experiment"], figures["seed"]) != (REFERENCE.name, seed)
        ]
        runs.append(_rounded(figures | _compared(maps, others, labels)))
    stored = asdict(setting)
    stored["data"] = {key: stored["data"][key] for key in ("name", "limit")}
    return {
        "setting": stored,
        "images": {
            "train": len(data.train),
            "test": len(data.test),
            "scored": min(setting.scored, len(data.test)),
        },
        "grid": data.image // setting.patch,
        "runs": runs,
    }


def _compared(maps: Tensor, references: Sequence[Tensor], labels: Tensor) -> Figures:
    """Return means of a model's agreement with the references; ``None`` without references."""
    found = [agreement(maps, reference) for reference in references]
    own = _less_class_means(maps, labels)
    within = [
        attention_score(own, _less_class_means(reference, labels)) for reference in references
    ]
    return {
        "score": mean(each.score for each in found) if found else None,
        "direction": mean(each.direction for each in found) if found else None,
        "contrast": mean(each.contrast for each in found) if found else None,
        "within_class": mean(within) if within else None,
    }


def _less_class_means(maps: Tensor, labels: Tensor) -> Tensor:
    """Return maps minus the mean map of their class."""
    means = maps.new_zeros(int(labels.max()) + 1, maps.shape[1]).index_add(0, labels, maps)
    counts = labels.bincount().clamp_min(1).to(maps)
    return maps - (means / counts[:, None])[labels]


def _rounded(value: Any) -> Any:
    """Return figures rounded to six decimals: further ones depend on the processor."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, float):
        # JSON has no infinity: the contrast against a reference of constant attention.
        return round(value, 6) if math.isfinite(value) else None
    return value


def save(path: Path, gathered: dict[str, Any]) -> None:
    """Write the figures as JSON, a line for each run."""
    head = {key: value for key, value in gathered.items() if key != "runs"}
    lines = ",\n".join(f"  {json.dumps(run, sort_keys=True)}" for run in gathered["runs"])
    text = json.dumps(head, sort_keys=True)[:-1] + f', "runs": [\n{lines}\n]}}\n'
    write_atomic(path, text.encode())


def load(path: Path) -> dict[str, Any]:
    """Read what :func:`save` wrote.

    Raises:
        InputError: there is no such file, or it holds no figures of a grid.
    """
    try:
        gathered = json.loads(path.read_text())
        runs = gathered["runs"]
        if not runs or any(run["experiment"] not in EXPERIMENTS for run in runs):
            raise KeyError("experiment")
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; run this command without --table to make it"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} does not hold the figures of a grid ({error})") from error
    return dict(gathered)


def markdown(gathered: dict[str, Any]) -> str:
    """Return the table in Markdown, with notes on its intervals."""
    lines = [
        "| attention | MLP | parameters | accuracy, % | attention score | entropy | distance "
        "| deletion gap | another image's |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for experiment in EXPERIMENTS.values():
        runs = [run for run in gathered["runs"] if run["experiment"] == experiment.name]
        if not runs:
            continue
        attention = "linear, untrained" if experiment is UNTRAINED else experiment.attention
        gaps = [run["deletion"]["random"] - run["deletion"]["most"] for run in runs]
        lost = [run["interference"]["another"] - run["deletion"]["none"] for run in runs]
        cells = [
            attention,
            experiment.mlp,
            f"{runs[0]['parameters']:,}",
            _spread([100 * run["accuracy"] for run in runs], 1),
            _spread([run["score"] for run in runs], 2),
            _spread([run["entropy"] for run in runs], 2),
            _spread([run["distance"] for run in runs], 2),
            _spread([100 * gap for gap in gaps], 0),
            _spread([100 * change for change in lost], 0),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    notes = [_sizes(gathered), "", *_differences(gathered["runs"])]
    return "\n".join([*lines, "", *notes]).rstrip() + "\n"


def _spread(values: list[float | None], digits: int) -> str:
    """Return the mean over seeds and half of its 95 % interval; a dash if a value is missing."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return "–"
    around = interval(known)
    # The typographic minus sign, and none before a zero.
    middle = f"{round(mean(known), digits) + 0.0:.{digits}f}".replace("-", "−")
    return middle if around is None else f"{middle} ± {(around.high - around.low) / 2:.{digits}f}"


def _sizes(gathered: dict[str, Any]) -> str:
    """Return a note with the numbers of seeds and images, and the intervals that follow."""
    seeds = sorted({run["seed"] for run in gathered["runs"]})
    images = gathered["images"]
    best = max(run["accuracy"] for run in gathered["runs"])
    spread = math.sqrt(best * (1 - best))
    test, scored = (196 * spread / math.sqrt(images[key]) for key in ("test", "scored"))
    names = ", ".join(map(str, seeds))
    over = (
        f"± is half the 95 % interval of the mean over seeds {names} (Student's t)."
        if len(seeds) > 1
        else f"One seed, {names}: no interval over seeds."
    )
    counts = Counter(run["experiment"] for run in gathered["runs"])
    fewer = [f"{name} ({count})" for name, count in counts.items() if count < len(seeds)]
    if fewer:
        over += f" Models of fewer seeds: {', '.join(fewer)}."
    return (
        f"{over} Of a single run at {best:.0%} right, the binomial interval is ±{test:.1f} points "
        f"on {images['test']:,} test images, and ±{scored:.1f} on the {images['scored']:,} that "
        "the last two columns are of."
    )


def _differences(runs: Sequence[Figures]) -> list[str]:
    """Return differences between valid and same kernels with equal MLPs, averaged over seeds.

    Only seeds count of which all experiments are finished.
    """
    known = {
        (run["experiment"], run["seed"]): run for run in runs if run["score"] is not None
    }  # fmt: skip
    lines = []
    for sharing in ("shared", "unshared"):
        pairs = [(f"{sharing}-valid+{mlp}", f"{sharing}-same+{mlp}") for mlp in MLP]
        gains = []
        for seed in sorted({run["seed"] for run in runs}):
            both = [(known.get((valid, seed)), known.get((same, seed))) for valid, same in pairs]
            whole = [(valid, same) for valid, same in both if valid and same]
            if len(whole) == len(pairs):
                gains.append(
                    {
                        figure: mean(valid[figure] - same[figure] for valid, same in whole)
                        for figure in ("score", "within_class", "accuracy")
                    }
                )
        if gains:
            score, within = (
                _spread([gain[figure] for gain in gains], 2) for figure in ("score", "within_class")
            )
            accuracy = _spread([100 * gain["accuracy"] for gain in gains], 1)
            lines.append(
                f"- {sharing}, valid less same, mean over the MLPs and {len(gains)} "
                f"seed{'s' if len(gains) > 1 else ''}: attention score {score} (within classes "
                f"{within}), accuracy {accuracy} points."
            )
    return lines


def put_into(page: Path, table: str) -> None:
    """Replace the text between the two marks of a page by ``table``.

    Raises:
        InputError: the page does not exist, or has no marks.
    """
    try:
        before, rest = page.read_text().split(MARKS[0] + "\n", 1)
        after = rest.split(MARKS[1], 1)[1]
    except OSError as error:
        raise InputError(f"cannot read {page}: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise InputError(
            f"{page} needs lines {MARKS[0]} and {MARKS[1]} to put a table in"
        ) from error
    write_atomic(page, f"{before}{MARKS[0]}\n{table}{MARKS[1]}{after}".encode())

"""Entries of a manifest: shapes, costs, and accuracies on the test images."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partition.classify import accuracy_of, class_accuracies, predict
from partition.config import ViTConfig
from partition.cost import mlp_cost, vit_cost
from partition.data import Data
from partition.fit import Fitted
from partition.fusion import Fusion
from partition.part import Part
from partition.schema import MOST_SKIPPED, AccuracyEntry
from partition.split import part_labels
from partition.unsplit import Unsplit


def versions_entry() -> dict[str, str]:
    """Return the versions that results can depend on."""
    versions = {"python": platform.python_version()}
    for name in ("torch", "numpy", "safetensors", "edgesim"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def data_entry(data: Data) -> dict[str, Any]:
    """Return what the manifest says of the data, enough to make inputs of images."""
    return {
        "name": data.name,
        "classes": list(data.classes),
        "images": {name: len(samples) for name, samples in data.splits.items()},
        "image": data.image,
        "channels": data.channels,
        "mean": list(data.mean),
        "std": list(data.std),
        "skipped": len(data.skipped),
        "skipped_files": [_text(path) for path in data.skipped[:MOST_SKIPPED]],
    }


def _text(path: Path) -> str:
    """Return a path as text that JSON can hold, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def cost_entry(config: ViTConfig) -> dict[str, Any]:
    """Return shape and cost of a model for the manifest."""
    cost = asdict(vit_cost(config))
    del cost["attention_macs"]
    return {"config": config.to_dict(), **cost}


def accuracy_entry(logits: Tensor, labels: Tensor, classes: Sequence[str]) -> AccuracyEntry:
    """Return the accuracies of a classifier of all classes; the worst class is the first of equals.

    Args:
        logits: (images, classes) of the test images.
        labels: (images,).
        classes: class names by label.
    """
    by_class = class_accuracies(logits.argmax(-1), labels, len(classes))
    worst, label = min((one, label) for label, one in enumerate(by_class) if one is not None)
    return AccuracyEntry(
        accuracy=accuracy_of(logits, labels),
        worst_class=classes[label],
        worst_class_accuracy=worst,
        class_accuracies=tuple(by_class),
    )


def unsplit_entry(unsplit: Unsplit, data: Data) -> dict[str, Any]:
    """Return shape, cost and test accuracy of the unsplit model."""
    accuracies = accuracy_entry(unsplit.test, data.test.labels, data.classes)
    cost = cost_entry(unsplit.model.config)
    return {"file": "unsplit.safetensors", **cost, **asdict(accuracies)}


def part_entries(parts: Sequence[Part], fitted: Fitted, data: Data) -> list[dict[str, Any]]:
    """Return what the manifest says of every part; its accuracy is at its own task.

    That task is to distinguish its classes, and from all others where it has an "other".
    """
    entries = []
    for number, part in enumerate(parts):
        logits = predict(part.model, data.test, data)
        labels = part_labels(data.test.labels, part.classes)
        asked = torch.ones_like(labels, dtype=torch.bool)
        if not part.classes.other:
            asked = labels < len(part.classes.classes)
        names = [data.classes[label] for label in part.classes.classes]
        entries.append(
            {
                "file": f"part-{number}.safetensors",
                "classes": list(part.classes.classes),
                "class_names": names,
                "other": part.classes.other,
                "heads_kept": fitted.heads[number],
                "device": None if fitted.devices is None else fitted.devices[number],
                "accuracy": accuracy_of(logits[asked], labels[asked]),
                "training": [_summary(stage) for stage in part.stages],
                **cost_entry(part.model.config),
            }
        )
    return entries


def fusion_cost_entry(fusion: Fusion) -> dict[str, Any]:
    """Return file, layers and cost of a fusion for the manifest."""
    return {
        "file": "fusion.safetensors",
        "widths": list(fusion.widths),
        "part_widths": list(fusion.part_widths),
        **mlp_cost(fusion.widths),
    }


@torch.no_grad()
def fusion_entry(
    fusion: Fusion, notes: Mapping[str, Any], features: Tensor, data: Data
) -> dict[str, Any]:
    """Return layers, cost and test accuracy of the fusion when every part answers."""
    return {
        **fusion_cost_entry(fusion),
        "training": _summary(notes),
        **asdict(accuracy_entry(fusion(features), data.test.labels, data.classes)),
    }


def _summary(notes: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a training went without its epoch by epoch history."""
    return {key: value for key, value in notes.items() if key != "history"}

"""One table on the same data: unsplit, a small ViT of the same total, the parts, Split-CNN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from partition.classify import predict
from partition.cnn import CnnConfig
from partition.config import ViTConfig, scaled
from partition.cost import mlp_cost, vit_cost
from partition.data import open_data
from partition.entries import accuracy_entry
from partition.manifest import read_trained
from partition.model import VisionTransformer
from partition.progress import Progress, silent
from partition.schema import AccuracyEntry
from partition.split import PartClasses
from partition.split_cnn import split_cnn
from partition.steps import StepStore
from partition.train import CPU, generator_of, seed_of
from partition.unsplit import train_on_all_classes

Shape = ViTConfig | CnnConfig
Latency = Callable[[Sequence[Shape], Sequence[int]], float]
"""Seconds of one image, from the shape of every part and the widths of the fusion's layers; a model
that is not split has one part and no fusion."""

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; figures of a part are those of the largest one.

    Attributes:
        name: name of the model that was measured.
        parts: number of devices that it runs on.
        accuracy: accuracy on the test images, 0 to 1.
        worst_class_accuracy: accuracy of the class with the lowest, 0 to 1.
        part_mib: weights, fp32.
        part_macs: multiply-accumulates of one image.
        total_mib: weights of everything, fusion included.
        latency_s: latency of one image in seconds; None where no ``latency`` was given.
    """

    name: str
    parts: int
    accuracy: float
    worst_class_accuracy: float
    part_mib: float
    part_macs: int
    total_mib: float
    latency_s: float | None


def compare(
    folder: Path,
    work_dir: Path,
    progress: Progress = silent,
    *,
    latency: Latency | None = None,
    device: torch.device = CPU,
) -> tuple[Row, ...]:
    """Return the rows for the artifact in ``folder``; what is missing is trained by its own recipe.

    The small ViT is the unsplit shape scaled to the number of heads whose size is nearest to that
    of all parts and the fusion, trained from nothing as the unsplit model was. For Split-CNN see
    :mod:`partition.split_cnn`.

    Args:
        folder: an artifact.
        work_dir: folder of finished steps.
        progress: called with every step.
        latency: returns seconds, by a simulator for instance.
        device: device to train on.

    Raises:
        InputError: the artifact is damaged, or its data are missing.
        PartitionError: a loss is not finite, or the disk is full.
    """
    manifest = read_trained(folder)
    recipe = manifest.recipe
    data = open_data(recipe.data, progress)
    store = StepStore(work_dir, progress, device)
    unsplit, fusion, parts = manifest.unsplit, manifest.fusion, manifest.parts

    def row(
        name: str,
        accuracies: AccuracyEntry,
        shapes: Sequence[Shape],
        sizes: Sequence[tuple[int, int]],
        fusion_bytes: int = 0,
        fusion_widths: Sequence[int] = (),
    ) -> Row:
        """Return a line of the table, of parts of some shapes and (bytes, MACs)."""
        weights = [size_bytes for size_bytes, _ in sizes]
        return Row(
            name=name,
            parts=len(shapes),
            accuracy=accuracies.accuracy,
            worst_class_accuracy=accuracies.worst_class_accuracy,
            part_mib=max(weights) / MIB,
            part_macs=max(macs for _, macs in sizes),
            total_mib=(sum(weights) + fusion_bytes) / MIB,
            latency_s=None if latency is None else latency(shapes, fusion_widths),
        )

    total = sum(part.bytes for part in parts) + fusion.bytes
    small = nearest_size(unsplit.config, total)
    model = VisionTransformer(small, generator_of(recipe.seed, 21))
    train_on_all_classes(
        model, "small-vit", recipe, data, store, seed_of(recipe.seed, 22), title="small ViT"
    )
    cost, tested = vit_cost(small), (data.test.labels, data.classes)
    classes = [PartClasses(classes=part.classes, other=part.other) for part in parts]
    cnn = split_cnn(
        recipe, data, classes, unsplit.parameters, [part.parameters for part in parts],
        store,
    )  # fmt: skip
    return (
        row("unsplit", unsplit, [unsplit.config], [(unsplit.bytes, unsplit.macs)]),
        row(
            "small ViT of the same total size",
            accuracy_entry(predict(model, data.test, data), *tested),
            [small],
            [(cost.bytes, cost.macs)],
        ),
        row(
            f"{len(parts)} ViT parts",
            fusion,
            [part.config for part in parts],
            [(part.bytes, part.macs) for part in parts],
            fusion.bytes,
            fusion.widths,
        ),
        row(
            "CNN unsplit",
            accuracy_entry(cnn.unsplit_logits, *tested),
            [cnn.unsplit],
            [(4 * cnn.unsplit.parameters, cnn.unsplit.macs)],
        ),
        row(
            f"Split-CNN, {len(cnn.parts)} parts",
            accuracy_entry(cnn.logits, *tested),
            cnn.parts,
            [(4 * part.parameters, part.macs) for part in cnn.parts],
            mlp_cost(cnn.fusion_widths)["bytes"],
            cnn.fusion_widths,
        ),
    )


def nearest_size(config: ViTConfig, size_bytes: int) -> ViTConfig:
    """Return ``config`` scaled to the number of heads whose bytes are nearest to ``size_bytes``."""
    shapes = [scaled(config, heads) for heads in range(1, config.heads + 1)]
    return min(shapes, key=lambda shape: abs(vit_cost(shape).bytes - size_bytes))


def markdown(rows: Sequence[Row]) -> str:
    """Return the table in Markdown; one multiply-accumulate is one MAC."""
    lines = [
        "| model | devices | accuracy | worst class | MiB a part | MMAC a part "
        "| MiB in all | latency |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        latency = "" if row.latency_s is None else f"{row.latency_s * 1e3:.2f} ms"
        lines.append(
            f"| {row.name} | {row.parts} | {row.accuracy:.2%} | {row.worst_class_accuracy:.1%} | "
            f"{row.part_mib:.3f} | {row.part_macs / 1e6:.2f} | {row.total_mib:.3f} | {latency} |"
        )
    return "\n".join(lines) + "\n"

"""What ``edgesim partition`` wrote, as operator graphs and accuracies: all that a run needs of it.

The manifest is enough: no weights are loaded, but every file is held against its SHA-256 first, so
that what is simulated is what can be deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgesim.common.errors import InputError
from edgesim.graph import Graph
from edgesim.graph.mlp import mlp
from edgesim.graph.vit import vit

LARGEST = 10_000_000
DEEPEST = 10_000
"""Of sizes and layers of a model: far above any that there is, and far below what takes long."""
PRECISION = "fp32"
"""Of the weights that the accuracies were measured with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One sub-model.

    Attributes:
        graph: its operators, its own head included.
        classes: class indices that it answers for.
        feature_elements: that it sends to the fusion for one image.
        device: that it was fitted to, where the recipe named devices.
    """

    graph: Graph
    classes: tuple[int, ...]
    feature_elements: int
    device: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Measured shares of right answers on the test images of a data set, 0 to 1.

    Attributes:
        dataset: name.
        samples: test images.
        top1: of the fusion with every part there.
        top1_unsplit: of the model that the parts were cut from.
        survivors: of the fusion by which parts are there: ``"1011"`` lacks part 1.
    """

    dataset: str
    samples: int
    top1: float
    top1_unsplit: float
    survivors: Mapping[str, float]

    def without(self, missing: frozenset[int]) -> float:
        """Return the accuracy without some parts, by number.

        Above ten parts not every subset was measured; one that was not counts as the mean of
        those with as many parts.
        """
        parts = len(next(iter(self.survivors)))
        key = "".join("0" if number in missing else "1" for number in range(parts))
        if key in self.survivors:
            return self.survivors[key]
        there = key.count("1")
        alike = [value for one, value in self.survivors.items() if one.count("1") == there]
        return sum(alike) / len(alike)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A split model.

    Attributes:
        folder: where it lies.
        name: that its recipe gave it.
        parts: the sub-models, in the order of the manifest.
        fusion: the layers that make one answer of their features.
        unsplit: the model that they were cut from; its weights are not in the artifact.
        accuracy: what was measured.
    """

    folder: Path
    name: str
    parts: tuple[Part, ...]
    fusion: Graph
    unsplit: Graph
    accuracy: Accuracy

    @property
    def classes(self) -> int:
        """Return the number of classes of the fused answer."""
        return self.fusion.output_elements


def load(folder: Path) -> Artifact:
    """Return the artifact in ``folder``.

    Raises:
        InputError: it is no artifact, truncated or changed, or contradicts itself.
    """
    import partition

    try:
        manifest = partition.read_manifest(folder)
        partition.verify_files(folder, manifest)
    except partition.InputError as error:
        raise InputError(str(error)) from None
    try:
        return _artifact(folder, manifest)
    except partition.InputError as error:
        raise InputError(f"{folder}: {error}; make the artifact again") from None
    except (KeyError, TypeError, IndexError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{folder}: the manifest lacks what this version reads ({error!r}); "
            "make the artifact again"
        ) from None


def _artifact(folder: Path, manifest: Mapping[str, Any]) -> Artifact:
    parts = tuple(
        Part(
            graph=_graph(folder, f"part-{number}", entry),
            classes=tuple(map(_count, entry["classes"])),
            feature_elements=_count(entry["feature_bytes"]) // 4,
            device=None if entry["device"] is None else _text(entry["device"]),
        )
        for number, entry in enumerate(manifest["parts"])
    )
    data, fusion, whole = manifest["data"], manifest["fusion"], manifest["unsplit"]
    return Artifact(
        folder=folder,
        name=_text(manifest["name"]),
        parts=parts,
        fusion=_checked(folder, mlp("fusion", _widths(fusion["widths"])), fusion),
        unsplit=_graph(folder, _text(manifest["name"]), whole),
        accuracy=Accuracy(
            dataset=_text(data["name"]),
            samples=_count(data["images"]["test"]),
            top1=_share(fusion["accuracy"]),
            top1_unsplit=_share(whole["accuracy"]),
            survivors=_survivors(manifest["survivors"]["accuracy"], len(parts)),
        ),
    )


def part_graph(name: str, shape: Mapping[str, Any]) -> Graph:
    """Return the operators of a Vision Transformer of a manifest.

    Args:
        name: of the graph.
        shape: its ``config`` in the manifest, see :class:`partition.config.ViTConfig`.
    """
    return vit(
        name,
        classes=shape["classes"],
        image_size=shape["image"],
        patch_size=shape["patch"],
        channels=shape["channels"],
        width=shape["width"],
        depth=shape["depth"],
        heads=shape["heads"],
        head_width=shape["head_width"],
        mlp_width=shape["mlp_width"],
        distilled=shape["distilled"],
        stem=tuple(shape["stem"]),
    )


def _graph(folder: Path, name: str, entry: Mapping[str, Any]) -> Graph:
    from partition.config import ViTConfig

    config = ViTConfig.from_dict(entry["config"])
    sizes = [value for value in config.to_dict().values() if isinstance(value, int)]
    if max(*sizes, *config.stem, 0) > LARGEST or config.depth > DEEPEST or len(config.stem) > 8:
        raise ValueError(f"a model with a size above {LARGEST:,}, or deeper than {DEEPEST:,}")
    return _checked(folder, part_graph(name, config.to_dict()), entry)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 200:
        raise TypeError(f"expected a name, got {str(value)[:60]!r}")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 53:
        raise TypeError(f"expected a whole number, got {str(value)[:60]}")
    return value


def _share(value: object) -> float:
    if not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise TypeError(f"expected an accuracy from 0 to 1, got {str(value)[:60]}")
    return float(value)


def _widths(values: Any) -> tuple[int, ...]:
    widths = tuple(map(_count, values))
    if len(widths) < 2 or min(widths) < 1 or max(widths) > LARGEST or len(widths) > DEEPEST:
        raise ValueError("expected the widths of a fusion's layers")
    return widths


def _survivors(values: Any, parts: int) -> dict[str, float]:
    found = {str(key): _share(value) for key, value in values.items()}
    if not found or any(len(key) != parts or set(key) - {"0", "1"} for key in found):
        raise ValueError(f"expected accuracies by which of {parts} parts are there")
    return found


def _checked(folder: Path, graph: Graph, entry: Mapping[str, Any]) -> Graph:
    """Return a graph whose size is what the manifest says."""
    for what, ours, told in (
        ("weights", graph.params, entry["parameters"]),
        ("multiply-accumulates", graph.macs, entry["macs"]),
    ):
        if ours != _count(told):
            raise InputError(
                f"{folder}: the manifest gives '{graph.name}' {told:,} {what}, and its shape has "
                f"{ours:,}; make the artifact again"
            )
    return graph

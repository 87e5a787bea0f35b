"""What ``edgesim partition`` wrote, as operator graphs and accuracies: all that a run needs of it.

The manifest is enough: no weights are loaded, but every file is held against its SHA-256 first, so
that what is simulated is what can be deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgesim.common.errors import InputError
from edgesim.graph import Graph
from edgesim.graph.builder import Builder
from edgesim.graph.mlp import mlp
from edgesim.graph.vit import vit

if TYPE_CHECKING:
    from partition import TrainedManifest, ViTConfig
    from partition.schema import LightEntry

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
        point: operating point of the light that they were measured on; empty without light.
    """

    dataset: str
    samples: int
    top1: float
    top1_unsplit: float
    survivors: Mapping[str, float]
    point: str = ""

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
        manifest: what it says of itself; None for one that lies nowhere.
        name: that its recipe gave it.
        parts: the sub-models, in the order of the manifest.
        fusion: the layers that make one answer of their features.
        unsplit: the model that they were cut from.
        accuracy: what was measured without light.
        on_light: what was measured with all layers of the models on light, and the fusion off it;
            None where nothing was.
    """

    folder: Path
    name: str
    parts: tuple[Part, ...]
    fusion: Graph
    unsplit: Graph
    accuracy: Accuracy
    manifest: TrainedManifest | None = None
    on_light: Accuracy | None = None

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
        manifest = partition.read_trained(folder)
        partition.verify_files(folder, manifest)
    except partition.InputError as error:
        raise InputError(str(error)) from None
    return Artifact(
        folder=folder,
        manifest=manifest,
        name=manifest.name,
        parts=tuple(
            Part(
                graph=part_graph(f"part-{number}", part.config),
                classes=part.classes,
                feature_elements=part.feature_bytes // 4,
                device=part.device,
            )
            for number, part in enumerate(manifest.parts)
        ),
        fusion=mlp("fusion", manifest.fusion.widths),
        unsplit=part_graph(manifest.name, manifest.unsplit.config),
        accuracy=Accuracy(
            dataset=manifest.data.name,
            samples=manifest.data.images.test,
            top1=manifest.fusion.accuracy,
            top1_unsplit=manifest.unsplit.accuracy,
            survivors=manifest.survivors.accuracy,
        ),
        on_light=_on_light(manifest),
    )


def _on_light(manifest: TrainedManifest) -> Accuracy | None:
    light = manifest.light
    if light is None:
        return None
    return Accuracy(
        dataset=manifest.data.name,
        samples=light.images,
        top1=light.fused.accuracy,
        top1_unsplit=light.unsplit.accuracy,
        survivors=light.survivors.accuracy,
        point=point_text(light),
    )


def point_text(light: LightEntry) -> str:
    """Return the operating point of light in a few words."""
    noun = "photon" if light.photons == 1 else "photons"
    said = [
        f"modulators of {light.bits} bits" if light.bits is not None else "",
        f"a camera of {light.camera_bits} bits" if light.camera_bits is not None else "",
        "no noise" if light.photons is None else f"{light.photons:g} detected {noun} per MAC",
    ]
    return ", ".join(filter(None, said))


def part_graph(name: str, shape: ViTConfig) -> Graph:
    """Return the operators of a Vision Transformer of a manifest.

    Args:
        name: of the graph.
        shape: of the model.
    """
    return vit(
        Builder(name, (shape.channels, *shape.size)),
        classes=shape.classes,
        patch_size=shape.patch,
        width=shape.width,
        depth=shape.depth,
        heads=shape.heads,
        head_width=shape.head_width,
        mlp_width=shape.mlp_width,
        distilled=shape.distilled,
        stem=shape.stem,
        registers=shape.registers,
        class_token=shape.class_token,
        mean=shape.pooling != "token",
        pre_norm=shape.pre_norm,
    )

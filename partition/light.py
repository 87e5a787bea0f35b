"""Accuracies of a split model whose layers run on light, at one operating point.

This package knows nothing of optics: what puts a model on light is given to it. ``edgesim``
gives the physical road of ``optics``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from partition.classify import accuracy_of, evaluation_batches, predict
from partition.data import Data, Samples
from partition.errors import InputError
from partition.files import fingerprint
from partition.fusion import Fusion, survivor_accuracies
from partition.model import VisionTransformer
from partition.part import proxy_samples
from partition.progress import Forecast, Report
from partition.recipe import LightSpec
from partition.schema import LightEntry, LitEntry, SurvivorsEntry
from partition.steps import Notes, StepStore
from partition.train import TrainRun, generator_of, seed_of

BATCH = 50
"""Images that go through light together: as many as the light of the layers was set with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lit:
    """What a model on light makes of a batch.

    Attributes:
        features: (images, all features), what a part sends to the fusion.
        logits: (images, outputs).
        saturated: number of readings that were at the camera's limit.
    """

    features: Tensor
    logits: Tensor
    saturated: int


OnLight = Callable[[Tensor, int], Lit]
"""A model on light: called with inputs (images, channels, height, width) and the noise's seed."""


class Road(Protocol):
    """What puts models on light.

    Attributes:
        version: changes with the code that computes light, so that old results are not reused.
    """

    @property
    def version(self) -> str:
        """Text that is other for other code."""

    def __call__(
        self, model: VisionTransformer, spec: LightSpec, images: Tensor, seed: int
    ) -> OnLight:
        """Return a copy of a model on light.

        Args:
            model: in evaluation mode.
            spec: operating point.
            images: inputs that peaks and exposures are set by, as many as later batches have.
            seed: seed of all random numbers.

        Raises:
            InputError: a layer does not fit the planes, or no light passes it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A split model that is measured.

    Attributes:
        unsplit: model that the parts were cut from.
        parts: the sub-models.
        fusion: fusion of their features; it is electronic.
        keys: fingerprints of the unsplit model and of each part.
        rows: bool (subsets, parts), which parts are there.
    """

    unsplit: VisionTransformer
    parts: Sequence[VisionTransformer]
    fusion: Fusion
    keys: Sequence[str]
    rows: Tensor


def light_entry(
    spec: LightSpec, subject: Subject, data: Data, road: Road, store: StepStore, seed: int
) -> dict[str, Any]:
    """Return what the manifest says of a split model on light.

    Measured are as many test images of every class as the spec asks for, through light and without
    it. Each model is a step of the store, so that a killed run continues with the next.

    Args:
        spec: operating point, and number of images.
        subject: the models.
        data: test images, and validation images (else training images) to set the light by.
        road: puts models on light.
        store: folder of finished steps.
        seed: seed of the choice of images and of noise.

    Raises:
        InputError: a layer does not fit the planes, or no light passes it.
        PartitionError: the disk is full.
    """
    test = proxy_samples(data.test, spec.images, generator_of(seed, 0))
    held = data.validation if len(data.validation) else data.train
    batch = min(BATCH, len(test))
    setting = proxy_samples(held, batch, generator_of(seed, 1))
    if len(setting) < batch:
        setting = setting.take(torch.arange(batch) % len(setting))
    names = ["unsplit", *(f"part-{number}" for number in range(len(subject.parts)))]
    lit: list[Mapping[str, Tensor]] = []
    saturated = 0
    for number, (name, model) in enumerate(
        zip(names, (subject.unsplit, *subject.parts), strict=True)
    ):

        def measure(
            run: TrainRun, model: VisionTransformer = model, number: int = number
        ) -> tuple[dict[str, Tensor], Notes]:
            before = data.to_input(setting.images[:])
            on_light = road(model, spec, before, seed_of(seed, 2, number))
            return _through(on_light, test, data, batch, seed_of(seed, 3, number), run)

        key = fingerprint(subject.keys[number], asdict(spec), road.version, seed)
        title = f"light: {name.replace('-', ' ')}"
        tensors, notes = store.tensors(f"light-{name}", key, measure, title)
        lit.append(tensors)
        saturated += int(notes["saturated"])

    fusion, labels = subject.fusion, test.labels
    features = torch.cat([one["features"] for one in lit[1:]], 1)
    with torch.no_grad():
        plain = torch.cat([_features(part, test, data) for part in subject.parts], 1)
        fused = _lit(fusion(features), fusion(plain), labels)
    unsplit = _lit(lit[0]["logits"], predict(subject.unsplit, test, data), labels)
    survivors = SurvivorsEntry(
        exhaustive=len(subject.rows) == 2 ** len(subject.parts),
        accuracy=survivor_accuracies(fusion, features, labels, subject.rows),
    )
    entry = LightEntry(
        bits=spec.bits, camera_bits=spec.camera_bits, photons=spec.photons, plane=spec.plane,
        images=len(test), saturated=saturated, unsplit=unsplit, fused=fused, survivors=survivors,
    )  # fmt: skip
    return asdict(entry)


@torch.no_grad()
def _through(
    on_light: OnLight, test: Samples, data: Data, batch: int, seed: int, run: TrainRun
) -> tuple[dict[str, Tensor], Notes]:
    """Return features and logits of images by light; the last batch is filled up by the first."""
    lit = []
    forecast = Forecast(run.name, -(-len(test) // batch), run.progress)
    for first in range(0, len(test), batch):
        run.progress(Report(step=run.name, done=first / len(test)))
        places = torch.arange(first, first + batch) % len(test)
        lit.append(on_light(data.to_input(test.take(places).images[:]), seed_of(seed, first)))
        forecast.step()
    run.progress(Report(step=run.name, done=1.0))
    found = {
        "features": torch.cat([one.features for one in lit])[: len(test)].contiguous(),
        "logits": torch.cat([one.logits for one in lit])[: len(test)].contiguous(),
    }
    if not all(bool(values.isfinite().all()) for values in found.values()):
        raise InputError(f"{run.name}: numbers that are not finite came back from light")
    return found, {"saturated": sum(one.saturated for one in lit)}


def _features(part: VisionTransformer, samples: Samples, data: Data) -> Tensor:
    return torch.cat([part.features(inputs) for inputs in evaluation_batches(samples, data)])


def _lit(light: Tensor, electronic: Tensor, labels: Tensor) -> LitEntry:
    same = light.argmax(-1) == electronic.argmax(-1)
    return LitEntry(
        accuracy=accuracy_of(light, labels),
        electronic=accuracy_of(electronic, labels),
        same=float(same.double().mean()),
    )

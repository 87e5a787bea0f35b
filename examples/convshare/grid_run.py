"""One run: training of an experiment's model from one seed, and figures of its attention."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from grid_experiments import Experiment, Setting
from torch import Tensor

from optics.convshare import ConvShareViT
from optics.convshare.attention_score import attention_distance, relative_entropy, rollout
from optics.convshare.interventions import deletion, interfering
from partition.classify import EVALUATION_BATCH, TrainingSet, accuracy_of, predict, train_classifier
from partition.data import Data, Samples
from partition.progress import Progress
from partition.steps import StepStore
from partition.train import TrainRun, generator_of, seed_of


@dataclass(frozen=True, slots=True)
class Run:
    """An experiment and a seed.

    Attributes:
        experiment: experiment that fixes the model.
        seed: seed of every draw, together with the experiment's number.
        key: fingerprint of everything that the run depends on.
    """

    experiment: Experiment
    seed: int
    key: str

    @property
    def name(self) -> str:
        """Name of the run and of its files."""
        return f"{self.experiment.name}-{self.seed}"

    def file(self, work: Path) -> Path:
        """Return the file of the finished run: weights, maps and figures."""
        return StepStore(work).file(self.name, self.key)


def make(
    run: Run, data: Data, setting: Setting, work: Path, device: torch.device, progress: Progress
) -> tuple[Tensor, dict[str, Any]]:
    """Return a run's maps and figures; train the model unless the run is stored.

    Returns:
        Maps (scored images, tokens), see :func:`~optics.convshare.attention_score.rollout`, and the
        figures by name.
    """

    def train(training: TrainRun) -> tuple[dict[str, Tensor], dict[str, Any]]:
        model = _trained(run, data, setting, training, device)
        maps, figures = measure(run, model, data, setting, device)
        weights = {f"model.{name}": value for name, value in model.state_dict().items()}
        return weights | {"maps": maps}, figures

    tensors, figures = StepStore(work, progress, device).tensors(run.name, run.key, train)
    return tensors["maps"], figures


def _trained(
    run: Run, data: Data, setting: Setting, training: TrainRun, device: torch.device
) -> ConvShareViT:
    """Return the run's model after its last epoch; an interrupted training continues."""
    number = run.experiment.number
    config = setting.config(run.experiment, data)
    model = ConvShareViT(config, generator_of(run.seed, number, 0)).to(device)
    if run.experiment.trained:
        seed = seed_of(run.seed, number, 1)
        train_classifier(model, TrainingSet.of(data), data, setting.training, seed, training)
    return model.eval()


@torch.no_grad()
def measure(
    run: Run, model: ConvShareViT, data: Data, setting: Setting, device: torch.device
) -> tuple[Tensor, dict[str, Any]]:
    """Return rollout maps (images, tokens) of a model, and the figures that need the model."""
    accuracy = accuracy_of(predict(model, data.test, data), data.test.labels)
    scored = Samples(data.test.images[: setting.scored], data.test.labels[: setting.scored])
    images = data.to_input(scored.images)

    def answer(inputs: Tensor) -> Tensor:
        parts = inputs.split(EVALUATION_BATCH)
        return torch.cat([model(part.to(device)).float().cpu() for part in parts])

    maps, entropies, distances = [], [], []
    side = data.image // setting.patch
    for part in images.split(EVALUATION_BATCH // 2):
        attention = model.attention(part.to(device)).float().cpu()
        maps.append(rollout(attention))
        entropies.append(len(part) * relative_entropy(attention))
        distances.append(len(part) * attention_distance(attention, (side, side)).mean())
    every = torch.cat(maps)
    blanked = deletion(
        answer, images, scored.labels, every, patch=setting.patch, share=setting.deleted,
        generator=generator_of(run.seed, run.experiment.number, 2),
    )  # fmt: skip
    interfered = {}
    for how, label in (("another image", "another"), ("evenly", "evenly")):
        with interfering(model, how):  # type: ignore[arg-type]
            interfered[label] = accuracy_of(answer(images), scored.labels)
    return every, {
        "experiment": run.experiment.name,
        "seed": run.seed,
        "parameters": sum(each.numel() for each in model.parameters()),
        "accuracy": accuracy,
        "entropy": sum(entropies) / len(images),
        "distance": float(sum(distances)) / len(images),
        "deletion": asdict(blanked),
        "interference": interfered,
    }

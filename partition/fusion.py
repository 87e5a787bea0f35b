"""One answer from the features of the parts that answer.

The fusion is a small MLP on the concatenated features. It is trained with parts dropped at random,
their features set to zero, so that it still answers when some do not arrive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from partition.classify import accuracy_of, evaluation_batches
from partition.cnn import SmallCnn
from partition.data import Data, epoch_order
from partition.errors import InputError
from partition.files import fingerprint
from partition.losses import smooth_targets
from partition.model import VisionTransformer
from partition.recipe import FusionSpec
from partition.steps import Notes, StepStore
from partition.train import CPU, Score, TrainRun, generator_of, train

EXHAUSTIVE_PARTS = 10
"""Up to so many parts, every one of the 2^N subsets is measured."""


class Fusion(nn.Module):
    """MLP over the features of all parts, GELU between its layers.

    Attributes:
        part_widths: features of every part, in order.
        widths: widths of the layers: all features, the hidden ones, the classes.
    """

    def __init__(
        self,
        part_widths: Sequence[int],
        hidden: Sequence[int],
        classes: int,
        generator: torch.Generator | None = None,
    ) -> None:
        """Build it with weights drawn from ``generator``, or all zero without one."""
        super().__init__()
        self.part_widths = tuple(part_widths)
        self.widths = (sum(part_widths), *hidden, classes)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(self.widths))
        with torch.no_grad():
            for parameter in self.parameters():
                if generator is None or parameter.ndim == 1:
                    parameter.zero_()
                else:
                    deviation = parameter.shape[1] ** -0.5
                    parameter.normal_(0.0, deviation, generator=generator)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (batch, classes) of (batch, all features); missing parts are zeros."""
        x = features
        for index, layer in enumerate(self.layers):
            x = layer(functional.gelu(x) if index else x)
        return x

    def combine(self, features: Mapping[int, Tensor]) -> Tensor:
        """Return logits of the features (batch, width) of the parts that are there, by number.

        Raises:
            InputError: no part is there, or one's features are of another width.
        """
        if not features:
            raise InputError("the fusion needs the features of at least one part")
        batch = len(next(iter(features.values())))
        pieces = []
        for part, width in enumerate(self.part_widths):
            piece = features.get(part)
            if piece is None:
                piece = torch.zeros(batch, width)
            elif piece.shape != (batch, width):
                raise InputError(
                    f"part {part} sends {width} features for {batch} images, "
                    f"not {tuple(piece.shape)}"
                )
            pieces.append(piece)
        logits: Tensor = self(torch.cat(pieces, 1))
        return logits


def presence(samples: int, parts: int, whole: float, generator: torch.Generator) -> Tensor:
    """Return bool (samples, parts): which parts a training sample has, at least one each.

    The share ``whole`` has all of them; the others a number of parts drawn evenly from 1 to N,
    and then which ones.
    """
    everything = torch.rand(samples, 1, generator=generator) < whole
    count = torch.randint(1, parts + 1, (samples, 1), generator=generator)
    rank = torch.rand(samples, parts, generator=generator).argsort(1).argsort(1)
    return everything | (rank < count)


def spread(present: Tensor, part_widths: Sequence[int]) -> Tensor:
    """Return (…, all features) of (…, parts): every part's flag over all its features."""
    return present.repeat_interleave(torch.tensor(list(part_widths)), -1)


@torch.no_grad()
def part_features(
    models: Sequence[VisionTransformer | SmallCnn],
    widths: Sequence[int],
    data: Data,
    device: torch.device = CPU,
) -> dict[str, Tensor]:
    """Return what frozen parts send, (images, all features) on the CPU, by split of the data.

    Args:
        models: the parts.
        widths: features of each.
        data: all images.
        device: device to compute on.
    """
    columns: dict[str, list[Tensor]] = {name: [] for name in data.splits}
    for model, width in zip(models, widths, strict=True):
        model.to(device).eval()
        for name, samples in data.splits.items():
            rows = [
                model.features(inputs.to(device)).cpu()
                for inputs in evaluation_batches(samples, data)
            ]
            columns[name].append(torch.cat(rows) if rows else torch.empty(0, width))
        model.cpu()
    return {name: torch.cat(pieces, 1) for name, pieces in columns.items()}


def make_fusion(
    features: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    part_widths: Sequence[int],
    classes: int,
    spec: FusionSpec,
    seed: int,
    store: StepStore,
    *,
    teacher: Tensor | None = None,
    part_keys: Sequence[str] = (),
) -> tuple[Fusion, Notes]:
    """Return the fusion, trained or as it was stored, and how its training went.

    Args:
        features: features of the frozen parts, (images, all features), by ``train`` and
            ``validation``.
        labels: labels of the images, likewise.
        part_widths: features of every part.
        classes: number of classes of the whole data set.
        spec: settings of the fusion and its training.
        seed: seed of all random numbers.
        store: folder of finished steps, with progress and device.
        teacher: (training images, classes) log-probabilities of the unsplit model.
        part_keys: fingerprints of the parts, on which the fusion depends.
    """
    config = spec.training
    key = fingerprint("fusion", list(part_keys), list(part_widths), asdict(spec), seed)
    inputs = features["train"]
    targets = smooth_targets(labels["train"], classes, config.label_smoothing)
    fusion = Fusion(part_widths, spec.hidden, classes, generator_of(seed, 1))

    def epoch(generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        order = epoch_order(labels["train"], config.sampling, generator)
        for chosen in order.split(config.batch):  # type: ignore[no-untyped-call]
            present = presence(len(chosen), len(part_widths), spec.whole, generator)
            masked = inputs[chosen] * spread(present, part_widths)
            yield masked, targets[chosen], None if teacher is None else teacher[chosen]

    @torch.no_grad()
    def evaluate() -> Score | None:
        if not len(labels["validation"]):
            return None
        return Score.of(fusion(features["validation"]), labels["validation"])

    def make(run: TrainRun) -> tuple[dict[str, Tensor], Notes]:
        steps = -(-len(inputs) // config.batch)
        # So small that a GPU would wait for the CPU.
        on_cpu = replace(run, device=CPU)
        state = train(fusion, epoch, steps, config, seed, on_cpu, evaluate=evaluate)
        return fusion.state_dict(), state.notes

    weights, notes = store.tensors("fusion", key, make)
    fusion.load_state_dict(weights)
    return fusion.eval(), notes


def subsets(parts: int, samples: int, generator: torch.Generator) -> Tensor:
    """Return bool (subsets, parts) of which parts are there.

    All 2^N in counting order (part 0 is the lowest bit) up to ten parts. Above: none, all, every
    single part, every one missing, and ``samples`` drawn ones with an even spread of how many are
    there; each once.
    """
    if parts <= EXHAUSTIVE_PARTS:
        numbers = torch.arange(2**parts)[:, None]
        return (numbers >> torch.arange(parts)) & 1 == 1
    eye = torch.eye(parts, dtype=torch.bool)
    count = torch.randint(1, parts, (samples, 1), generator=generator)
    rank = torch.rand(samples, parts, generator=generator).argsort(1).argsort(1)
    ends = torch.stack((torch.zeros(parts), torch.ones(parts))).bool()
    rows = torch.cat((ends, eye, ~eye, rank < count)).tolist()
    return torch.tensor(sorted({tuple(row) for row in rows}))


@torch.no_grad()
def survivor_accuracies(
    fusion: Fusion, features: Tensor, labels: Tensor, present: Tensor
) -> dict[str, float]:
    """Return the accuracy with only some parts there, by subset.

    Args:
        fusion: trained.
        features: (images, all features) of the test images.
        labels: (images,).
        present: (subsets, parts), from :func:`subsets`.

    Returns:
        Accuracy, 0 to 1, by a text of one digit for each part: ``"1011"`` is without part 1.
        Without any part the fusion answers with its biases alone.
    """
    first, rest = fusion.layers[0], list(fusion.layers)[1:]
    # The first layer is linear in the parts: each one's share is computed once for all subsets.
    pieces = torch.split(features, list(fusion.part_widths), 1)
    columns = torch.split(first.weight.detach(), list(fusion.part_widths), 1)  # type: ignore[operator]
    shares = [piece @ column.T for piece, column in zip(pieces, columns, strict=True)]
    accuracies: dict[str, float] = {}
    for row in present.tolist():
        x = first.bias.expand(len(labels), -1).clone()  # type: ignore[operator]
        for share, is_present in zip(shares, row, strict=True):
            if is_present:
                x += share
        for layer in rest:
            x = layer(functional.gelu(x))
        accuracies["".join(str(int(is_present)) for is_present in row)] = accuracy_of(x, labels)
    return accuracies

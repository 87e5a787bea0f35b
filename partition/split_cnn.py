"""Split-CNN, the baseline: the same class-wise recipe on a small convolutional network.

The same data, groups of classes, negatives, distillation, tuning and fusion as the ViT's parts;
the one stage of pruning takes channels by KL divergence, and tuning after it has the epochs of all
of the ViT's stages and of its polish together. (NNFacet and EC-SNN's Split-CNN differ in detail;
this is the recipe of this package without attention.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from torch import Tensor

from partition.classify import predict, train_classifier
from partition.cnn import (
    CnnConfig,
    SmallCnn,
    channel_importance,
    keep_channels,
    keep_cnn_outputs,
)
from partition.config import height_and_width
from partition.data import Data
from partition.files import fingerprint
from partition.fusion import make_fusion, part_features
from partition.part import proxy_samples, training_set_of
from partition.recipe import Recipe
from partition.split import PartClasses
from partition.steps import Notes, StepStore
from partition.surgery import top, with_weights
from partition.train import TrainRun, generator_of, seed_of
from partition.unsplit import train_on_all_classes


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCnn:
    """What the baseline came to.

    Attributes:
        unsplit: shape of the unsplit network.
        unsplit_logits: (test images, classes) of the unsplit network.
        parts: shapes of the parts.
        fusion_widths: widths of the fusion's layers, input first.
        logits: (test images, classes) of the fusion.
    """

    unsplit: CnnConfig
    unsplit_logits: Tensor
    parts: tuple[CnnConfig, ...]
    fusion_widths: tuple[int, ...]
    logits: Tensor


def cnn_of_size(data: Data, parameters: int) -> CnnConfig:
    """Return four convolutions for ``data``, of widths 1 : 2 : 4 : 8, nearest to a size.

    Two are of stride 2 where the image has at least 16 pixels a side, else one.
    """
    strides = (2, 1, 2, 1) if min(height_and_width(data.image)) >= 16 else (1, 1, 2, 1)
    shapes = [
        CnnConfig(
            image=data.image, channels=data.channels, widths=(w, 2 * w, 4 * w, 8 * w),
            strides=strides, classes=len(data.classes),
        )
        for w in range(2, 129)
    ]  # fmt: skip
    return min(shapes, key=lambda shape: abs(shape.parameters - parameters))


def split_cnn(
    recipe: Recipe,
    data: Data,
    classes: Sequence[PartClasses],
    parameters: int,
    part_parameters: Sequence[int],
    store: StepStore,
) -> SplitCnn:
    """Train a CNN of about ``parameters``, split it like the ViT, and return what it came to.

    Args:
        recipe: recipe of the ViT's run.
        data: all images.
        classes: classes of the ViT's parts.
        parameters: weights and biases of the unsplit ViT.
        part_parameters: weights and biases of its parts; each of the CNN's is the nearest to that
            size.
        store: folder of finished steps, with progress and device.
    """
    config = cnn_of_size(data, parameters)
    model = SmallCnn(config, generator_of(recipe.seed, 11))
    key = train_on_all_classes(
        model, "cnn", recipe, data, store, seed_of(recipe.seed, 12), title="CNN unsplit"
    )
    teacher = predict(model, data.train, data).log_softmax(-1)
    parts, keys = [], []
    for number, (group, size) in enumerate(zip(classes, part_parameters, strict=True)):
        part, part_key = _part(recipe, data, group, model, teacher, size, number, key, store)
        parts.append(part)
        keys.append(part_key)
    widths = [part.config.widths[-1] for part in parts]
    features = part_features(parts, widths, data)
    fusion, _ = make_fusion(
        features, {"train": data.train.labels, "validation": data.validation.labels},
        widths, len(data.classes), recipe.fusion,
        seed_of(recipe.seed, 14), store, teacher=teacher, part_keys=keys,
    )  # fmt: skip
    return SplitCnn(
        unsplit=config,
        unsplit_logits=predict(model, data.test, data),
        parts=tuple(part.config for part in parts),
        fusion_widths=fusion.widths,
        logits=fusion(features["test"]).detach(),
    )


def _part(
    recipe: Recipe,
    data: Data,
    classes: PartClasses,
    unsplit: SmallCnn,
    teacher: Tensor,
    size: int,
    number: int,
    unsplit_key: str,
    store: StepStore,
) -> tuple[SmallCnn, str]:
    """Return one pruned and tuned part of the CNN and its fingerprint."""
    seed = seed_of(recipe.seed, 13, number)
    pruning, negatives = recipe.pruning, recipe.split.negatives
    shares = [share / 200 for share in range(1, 201)]
    shapes = [unsplit.config.scaled(share, classes.outputs) for share in shares]
    target = min(shapes, key=lambda shape: abs(shape.parameters - size))
    epochs = pruning.final.epochs + 2 * pruning.tuning.epochs + pruning.polish.epochs
    config = replace(pruning.final, epochs=epochs)
    key = fingerprint(
        unsplit_key, classes.classes, classes.other, negatives, target.to_dict(), pruning.images,
        asdict(config), seed,
    )  # fmt: skip

    def make(run: TrainRun) -> tuple[dict[str, Tensor], Notes]:
        training = training_set_of(teacher, data, classes, negatives, seed)
        model = keep_cnn_outputs(unsplit, classes.classes, classes.other)
        draw = generator_of(seed, 3)
        proxy = proxy_samples(training.samples, pruning.images, draw)
        scores = channel_importance(model, data.to_input(proxy.images[:]))
        chosen = [top(score, width) for score, width in zip(scores, target.widths, strict=True)]
        model = keep_channels(model, chosen)
        state = train_classifier(model, training, data, config, seed_of(seed, 4), run)
        return model.state_dict(), state.notes

    title = f"CNN part {number + 1}"
    weights, _ = store.tensors(f"cnn-part-{number + 1}", key, make, title)
    return with_weights(SmallCnn(target), weights).eval(), key

"""The experiments: kind and size of each layer, data set and training of each model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType

from optics.convshare import ConvShareConfig, Mixing
from partition.data import Data
from partition.errors import InputError, nearest
from partition.files import fingerprint
from partition.recipe import Augmentation, DataSpec, TrainConfig
from partition.unsplit import data_key

ATTENTION: tuple[Mixing, ...] = ("shared-valid", "shared-same", "unshared-valid", "unshared-same")
"""Mixings of queries, keys, values and the projection."""

MLP: tuple[Mixing, ...] = ("linear", "shared-valid", "shared-same")
"""Mixings of both layers of the MLP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One model of the grid.

    Attributes:
        name: name on the command line.
        number: number that enters its seeds, so that no two experiments draw the same weights.
        attention: mixing of queries, keys, values and projection.
        mlp: mixing of the MLP.
        trained: whether it is trained; otherwise its weights stay as they were drawn.
    """

    name: str
    number: int
    attention: Mixing
    mlp: Mixing
    trained: bool = True


REFERENCE = Experiment(name="vit", number=0, attention="linear", mlp="linear")
"""A plain ViT, the reference of the attention score."""

UNTRAINED = replace(REFERENCE, name="vit-untrained", number=1, trained=False)
"""An untrained ViT: the lower bound of the attention score."""

GRID = tuple(
    Experiment(name=f"{attention}+{mlp}", number=2 + len(MLP) * row + column,
               attention=attention, mlp=mlp)
    for row, attention in enumerate(ATTENTION)
    for column, mlp in enumerate(MLP)
)  # fmt: skip
"""The twelve combinations of :data:`ATTENTION` and :data:`MLP`."""

EXPERIMENTS = {each.name: each for each in (REFERENCE, UNTRAINED, *GRID)}


def named(names: list[str]) -> list[Experiment]:
    """Return the reference and the experiments of these names; all experiments for no names.

    Raises:
        InputError: a name is unknown.
    """
    for name in names:
        if name not in EXPERIMENTS:
            hint = nearest(name, list(EXPERIMENTS))
            raise InputError(f"unknown experiment '{name}'{hint}; known: {', '.join(EXPERIMENTS)}")
    return [each for each in EXPERIMENTS.values()
            if not names or each.name in names or each is REFERENCE]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Settings common to all experiments of a grid.

    Attributes:
        data: images. There is no validation set: the weights of the last epoch are used.
        patch: side of a token, in pixels.
        map: rows and columns of a token.
        depth: blocks.
        heads: heads of attention.
        mlp_ratio: hidden maps of the MLP for each map of a token.
        training: recipe of the training.
        scored: number of test images, from the first, whose attention is scored.
        deleted: share of the tokens that deletion blanks, 0 to 1.
    """

    data: DataSpec
    patch: int
    map: tuple[int, int]
    depth: int
    heads: int
    mlp_ratio: int = 2
    training: TrainConfig = field(default_factory=TrainConfig)
    scored: int = 2000
    deleted: float = 0.25

    def config(self, experiment: Experiment, data: Data) -> ConvShareConfig:
        """Return the configuration of an experiment's model."""
        return ConvShareConfig(
            image=data.image, channels=data.channels, classes=len(data.classes),
            patch=self.patch, map=self.map, depth=self.depth, heads=self.heads,
            mlp_ratio=self.mlp_ratio, qkv=experiment.attention, projection=experiment.attention,
            mlp=experiment.mlp,
        )  # fmt: skip

    def key(self, experiment: Experiment, seed: int, data: Data) -> str:
        """Return a fingerprint of everything that a run depends on."""
        common = {name: value for name, value in asdict(self).items() if name != "data"}
        return fingerprint(data_key(self.data, data), common, asdict(experiment), seed)


SMALL: Mapping[str, Setting] = MappingProxyType(
    {
        "digits": Setting(
            data=DataSpec(name="digits", validation=0.0), patch=2, map=(4, 4), depth=2, heads=2,
            training=TrainConfig(epochs=20, batch=64, learning_rate=3e-3),
        ),
        "fashion-mnist": Setting(
            data=DataSpec(name="fashion-mnist", validation=0.0, limit=1000),
            patch=4, map=(6, 6), depth=3, heads=3,
            training=TrainConfig(
                epochs=10, batch=64, learning_rate=3e-3, label_smoothing=0.05,
                augmentation=Augmentation(shift=1, flip=True),
            ),
        ),
        "cifar-100": Setting(
            data=DataSpec(name="cifar-100", validation=0.0, limit=100),
            patch=4, map=(6, 6), depth=3, heads=3,
            training=TrainConfig(
                epochs=20, batch=64, learning_rate=2e-3,
                augmentation=Augmentation(shift=2, flip=True),
            ),
        ),
    }
)  # fmt: skip
"""Settings for one or two cores, by data set."""

FULL: Mapping[str, Setting] = MappingProxyType(
    {
        "digits": SMALL["digits"],
        "fashion-mnist": Setting(
            data=DataSpec(name="fashion-mnist", validation=0.0),
            patch=4, map=(8, 8), depth=6, heads=4, scored=10_000,
            training=TrainConfig(
                epochs=60, batch=128, learning_rate=1e-3, warmup=5.0,
                augmentation=Augmentation(shift=2, flip=True),
            ),
        ),
        "cifar-100": Setting(
            data=DataSpec(name="cifar-100", validation=0.0),
            patch=4, map=(8, 8), depth=8, heads=4, scored=10_000,
            training=TrainConfig(
                epochs=100, batch=128, learning_rate=1e-3, warmup=5.0, weight_decay=0.05,
                augmentation=Augmentation(shift=4, flip=True),
            ),
        ),
    }
)  # fmt: skip
"""Settings for a GPU: all images and a larger model.

Depth, heads, maps, batch, epochs and learning rate on CIFAR-100 are those of the paper's precursor,
which divides images of 72 x 72 into 9 x 9 patches of 8 pixels; here images have 32 x 32 pixels, in
8 x 8 patches.
"""


def setting(
    name: str, *, full: bool, folder: str | None, images: int | None, epochs: int | None
) -> Setting:
    """Return the setting of a data set, changed as the command line asks.

    Args:
        name: name of the data set.
        full: all images and the larger model.
        folder: folder of the images.
        images: training images, about as many of every class; 0 is all.
        epochs: epochs of training.

    Raises:
        InputError: the data set has no setting, or a number is out of range.
    """
    known = FULL if full else SMALL
    if name not in known:
        raise InputError(
            f"unknown data set '{name}'{nearest(name, list(known))}; known: {', '.join(known)}"
        )
    chosen = known[name]
    spec = replace(chosen.data, folder=folder)
    if images is not None:
        classes = 100 if name == "cifar-100" else 10
        if images < 0 or 0 < images < classes:
            raise InputError(f"--images must be 0 (all) or at least {classes}, not {images}")
        spec = replace(spec, limit=images // classes)
    training = chosen.training
    if epochs is not None:
        if epochs < 1:
            raise InputError(f"--epochs must be at least 1, not {epochs}")
        training = replace(training, epochs=epochs, warmup=min(training.warmup, epochs / 4))
    return replace(chosen, data=spec, training=training)

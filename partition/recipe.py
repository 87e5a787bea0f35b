"""Everything that fixes a partition run: the same recipe and data give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from partition.config import ViTConfig, preset
from partition.data import Augmentation, Data, DataSpec
from partition.errors import InputError
from partition.fit import Budget
from partition.importance import MEASURES, STAGES, Stage
from partition.mapping import build, plain
from partition.split import GROUPINGS
from partition.train import TrainConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """The unsplit model; image size, channels and classes are the data's.

    Attributes:
        name: a named shape (``vit_small_patch16_224``), of which all the following then count
            only where they are given; None for a shape of its own.
        checkpoint: safetensors file with timm's names to start from; None trains from scratch.
        patch: see :class:`~partition.config.ViTConfig`, as for all that follow.
        width: residual channels.
        depth: blocks.
        heads: attention heads.
        head_width: dimensions of a head.
        mlp_width: feed-forward neurons.
        stem: channels of strided convolutions before the patches.
        distilled: DeiT's second token.
    """

    name: str | None = None
    checkpoint: str | None = None
    patch: int | None = None
    width: int | None = None
    depth: int | None = None
    heads: int | None = None
    head_width: int | None = None
    mlp_width: int | None = None
    stem: tuple[int, ...] | None = None
    distilled: bool | None = None

    def config(self, data: Data) -> ViTConfig:
        """Return the shape for ``data``.

        Raises:
            InputError: the shape is impossible.
        """
        given = {
            key: getattr(self, key)
            for key in ("patch", "width", "depth", "heads", "head_width", "mlp_width", "stem")
            if getattr(self, key) is not None
        }
        if self.distilled is not None:
            given["distilled"] = self.distilled
        given |= {"image": data.image, "channels": data.channels, "classes": len(data.classes)}
        if self.name is not None:
            return preset(self.name, **given)
        return ViTConfig(**{**_OWN_SHAPE, **given})


_OWN_SHAPE: Mapping[str, Any] = {
    "patch": 2, "width": 48, "depth": 4, "heads": 6, "head_width": 8, "mlp_width": 144,
}  # fmt: skip
"""A ViT for the digits: 16 tokens, 0.09 M parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSpec:
    """How the classes are shared out.

    Attributes:
        parts: how many sub-models.
        grouping: one of :data:`~partition.split.GROUPINGS`.
        other: give every part a last output for all foreign classes.
        negatives: share of every foreign class's images that a part with ``other`` learns from
            (EC-SNN takes about 0.1).
    """

    parts: int = 5
    grouping: str = "apart"
    other: bool = True
    negatives: float = 0.5

    def __post_init__(self) -> None:
        if self.parts < 1:
            raise InputError(f"split.parts must be at least 1, not {self.parts}")
        if self.grouping not in GROUPINGS:
            raise InputError(
                f"grouping must be one of {', '.join(GROUPINGS)}, not '{self.grouping}'"
            )
        if not 0 < self.negatives <= 1:
            raise InputError(f"negatives must be above 0 and at most 1, not {self.negatives}")


def _tuning(epochs: int) -> TrainConfig:
    """Return how a part of the digits is tuned: few images, so small batches and a high rate."""
    return TrainConfig(epochs=epochs, batch=32, learning_rate=3e-3, distillation=0.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneSpec:
    """How a part is pruned.

    Attributes:
        heads: heads' worth that every part keeps; None fits the largest to the devices, or a
            number of heads that makes all parts together about as large as the unsplit model
            where no devices are given.
        importance: one of :data:`~partition.importance.MEASURES`.
        images: of the part's own data that importance is measured on.
        stages: in which order; every stage at most once.
        tuning: training after each stage but the last.
        final: training after the last stage.
        polish: training of the finished part once more, the learning rate high again; none by
            default.
        polish_negatives: in place of ``split.negatives`` while polishing; None keeps it.
    """

    heads: int | None = None
    importance: str = "kl"
    images: int = 64
    stages: tuple[str, ...] = STAGES
    tuning: TrainConfig = field(default_factory=lambda: _tuning(3))
    final: TrainConfig = field(default_factory=lambda: _tuning(15))
    polish: TrainConfig = field(default_factory=lambda: _tuning(0))
    polish_negatives: float | None = None

    def __post_init__(self) -> None:
        if self.importance not in MEASURES:
            raise InputError(
                f"importance must be one of {', '.join(MEASURES)}, not '{self.importance}'"
            )
        if sorted(self.stages) != sorted(STAGES):
            raise InputError(f"stages must be {', '.join(STAGES)} in some order, not {self.stages}")
        if self.polish_negatives is not None and not 0 < self.polish_negatives <= 1:
            raise InputError(
                f"polish_negatives must be above 0 and at most 1, not {self.polish_negatives}"
            )
        if self.images < 1:
            raise InputError(f"images must be at least 1, not {self.images}")

    def ordered_stages(self) -> tuple[Stage, ...]:
        """Return the stages, typed."""
        named: dict[str, Stage] = {stage: stage for stage in STAGES}
        return tuple(named[stage] for stage in self.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionSpec:
    """How the parts' features become one answer.

    Attributes:
        hidden: widths of the layers between the concatenated features and the classes.
        whole: share of the training samples that have every part; of the others a random number
            of parts is dropped.
        samples: subsets measured where there are more than ten parts.
        training: of the fusion, on frozen parts.
    """

    hidden: tuple[int, ...] = (128,)
    whole: float = 0.5
    samples: int = 512
    training: TrainConfig = field(
        default_factory=lambda: TrainConfig(epochs=30, batch=64, learning_rate=2e-3)
    )

    def __post_init__(self) -> None:
        if any(width < 1 for width in self.hidden):
            raise InputError(f"fusion.hidden must list widths of at least 1, not {self.hidden}")
        if not 0 <= self.whole <= 1:
            raise InputError(f"fusion.whole must be from 0 to 1, not {self.whole}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One partition run.

    Attributes:
        name: of the artifact.
        seed: of every draw.
        data: which images.
        model: the unsplit model.
        training: of the unsplit model.
        split: how classes are shared out.
        pruning: how parts are pruned.
        fusion: how they are fused.
        devices: budgets that the parts must fit, one part a device; empty for none.
    """

    name: str = "partition"
    seed: int = 0
    data: DataSpec = field(default_factory=DataSpec)
    model: ModelSpec = field(default_factory=ModelSpec)
    training: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            epochs=30, batch=64, learning_rate=3e-3, augmentation=Augmentation(shift=1)
        )
    )
    split: SplitSpec = field(default_factory=SplitSpec)
    pruning: PruneSpec = field(default_factory=PruneSpec)
    fusion: FusionSpec = field(default_factory=FusionSpec)
    devices: tuple[Budget, ...] = ()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"seed must be 0 or more, not {self.seed}")

    @staticmethod
    def from_mapping(values: Mapping[str, Any], where: str = "training") -> Recipe:
        """Return the recipe of a mapping such as a scenario's ``model.training``.

        Args:
            values: keys of this class; every key may be left out.
            where: dotted path of the mapping, for errors.

        Raises:
            InputError: a key is unknown or a value wrong; the message gives its dotted path.
        """
        recipe: Recipe = build(Recipe, values, where)
        return recipe

    def to_mapping(self) -> dict[str, Any]:
        """Return the recipe as JSON-able values that :meth:`from_mapping` takes."""
        return plain(self)

    def with_parts(self, parts: int) -> Recipe:
        """Return the recipe for another number of parts."""
        return replace(self, split=replace(self.split, parts=parts))

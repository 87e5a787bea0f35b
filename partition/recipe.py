"""The recipe of a partition run: the same recipe and data give the same bytes. No torch is needed.

Its classes are the section ``training`` of a scenario's model: fields are keys, their types the
rules. ``edgesim`` reads and checks them in a scenario file.
"""

from __future__ import annotations

import math
from dataclasses import asdict, field
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    ConfigDict,
    StrictBool,
    StrictStr,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from partition.config import Activation, ImageSize, ViTConfig, preset
from partition.errors import InputError, explain
from partition.fields import (
    Amount,
    Bits,
    Count,
    Fraction,
    Image,
    Name,
    Positive,
    PositiveShare,
    Share,
    Size,
)

DataName = Literal["digits", "fashion-mnist", "mnist", "cifar-10", "cifar-100", "folder"]
Grouping = Literal["random", "together", "apart"]
"""``random`` (EC-SNN's), or by confusion: classes that the teacher confuses go ``together`` in one
part, or ``apart`` into different ones."""
Stage = Literal["residual", "attention", "mlp"]
Selection = Literal["accuracy", "loss", "last"]
"""Epoch whose weights are taken: of the highest validation accuracy (of equals the one of the
lowest validation loss), of the lowest validation loss, or the last."""
Sampling = Literal["plain", "balanced"]
"""Images of an epoch: each once, or as many of every class, those of rare classes repeated."""
Measure = Literal["kl", "taylor", "magnitude", "random", "taylor-kl"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
STAGES: tuple[Stage, ...] = get_args(Stage)
"""The three stages of ED-ViT, in its order."""
MEASURES: tuple[Measure, ...] = get_args(Measure)


def _every_stage(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    if sorted(stages) != sorted(STAGES):
        raise ValueError(f"expected {', '.join(STAGES)} in some order, got {', '.join(stages)}")
    return stages


def _several(folds: int) -> int:
    if folds == 1:
        raise ValueError("expected at least 2 folds, or 0 for none")
    return folds


def _known(name: str) -> str:
    preset(name)
    return name


_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)
Folds = Annotated[Count, AfterValidator(_several)]


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class DataSpec:
    """Which data, from where.

    Attributes:
        name: name of the data set; ``folder`` for one of your own, with a sub-folder for every
            class.
        folder: path of the folder with the files; needed where no system package or library holds
            them.
        download: whether MNIST or Fashion-MNIST is fetched into ``folder``, with checksums.
        image: side of the model's input, or its height and width, in pixels; the data set's own by
            default, and 224 for a folder.
        channels: number of channels of an image folder: 1 grey, 3 RGB, 4 with opacity; any number
            for files ``.npy``.
        validation: fraction of the training images of every class held out.
        test: fraction held out as test images, where the data set brings no split of its own.
        limit: number of training images of every class that are used (the first); 0 for all. What
            it leaves out of an image folder is not decoded.
        skip_damaged: whether damaged files of an image folder are left out, counted and listed; by
            default the first of them ends the run.
    """

    name: DataName = "digits"
    folder: StrictStr | None = None
    download: StrictBool = False
    image: Image | None = None
    channels: Size = 3
    validation: Fraction = 0.1
    test: Fraction = 0.2
    limit: Count = 0
    skip_damaged: StrictBool = False


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class Augmentation:
    """What is done to a training image.

    Attributes:
        shift: largest shift up, down, left and right, in pixels; what is uncovered is black.
        flip: whether half of the images are mirrored left to right.
        erase: side of a square set to black at a random place, in pixels; 0 for none.
    """

    shift: Count = 0
    flip: StrictBool = False
    erase: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class TrainConfig:
    """How to train.

    Attributes:
        epochs: number of passes over the training images.
        batch: number of images of a step.
        learning_rate: highest learning rate, reached after the warm-up.
        final_rate: last learning rate, as a share of ``learning_rate``.
        warmup: number of epochs in which the learning rate rises linearly.
        weight_decay: weight decay of matrices; biases, norms, tokens and positions have none.
        label_smoothing: share of the label that is spread over all classes, 0 to 1.
        mixup: α of the Beta distribution that pairs of images are mixed by; 0 for none.
        distillation: share of the loss that follows the teacher, 0 to 1, where there is one.
        temperature: temperature of distillation.
        clip: largest norm of the gradient; 0 for any.
        selection: epoch whose weights are taken: the one of the highest validation accuracy, of
            equals the lowest validation loss; the one of the lowest validation loss; or the last.
        folds: number of folds of the training images by which the number of epochs is chosen
            (cross-validation): one training without each fold, then one on all images; 0 for none.
        patience: number of epochs without a better one that end the training; 0 for never.
        sampling: images of an epoch: each once, or as many of every class (of a part: of each of
            its outputs), where those of rare classes come several times.
        augmentation: random changes of the images.
    """

    epochs: Count = 10
    batch: Size = 128
    learning_rate: Amount = 1e-3
    final_rate: Share = 0.01
    warmup: Amount = 1.0
    weight_decay: Amount = 0.05
    label_smoothing: Share = 0.1
    mixup: Amount = 0.0
    distillation: Share = 0.5
    temperature: Positive = 1.0
    clip: Amount = 1.0
    selection: Selection = "accuracy"
    folds: Folds = 0
    patience: Count = 0
    sampling: Sampling = "plain"
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class UnsplitSpec:
    """The unsplit model; image size, channels and classes are the data's.

    Attributes:
        name: name of a shape (``vit_small_patch16_224``); the keys below then count only where they
            are given.
        checkpoint: path of a safetensors file to start from, with the names of timm, transformers
            or torchvision; none trains from scratch. The shape is the file's.
        patch: height and width of a patch, in pixels of the stem's output.
        width: number of residual channels.
        depth: number of blocks.
        heads: number of attention heads; needed with a checkpoint whose shape is no public model's.
        head_width: number of dimensions of a head.
        mlp_width: number of feed-forward neurons of a block.
        stem: channels of strided convolutions before the patches.
        distilled: whether there is DeiT's second token.
        activation: activation of the feed-forward layers; needed with a checkpoint of CLIP or
            SigLIP that has no ``config.json`` beside it.
    """

    name: Annotated[StrictStr, AfterValidator(_known)] | None = None
    checkpoint: StrictStr | None = None
    patch: Size | None = None
    width: Size | None = None
    depth: Size | None = None
    heads: Size | None = None
    head_width: Size | None = None
    mlp_width: Size | None = None
    stem: tuple[Size, ...] | None = None
    distilled: StrictBool | None = None
    activation: Activation | None = None

    def config(self, image: ImageSize, channels: int, classes: int) -> ViTConfig:
        """Return the shape for some data.

        Args:
            image: side of an input, or height and width, in pixels.
            channels: channels of an input.
            classes: classes of the data.

        Raises:
            InputError: the shape is impossible.
        """
        given: dict[str, Any] = {
            key: value for key, value in asdict(self).items() if value is not None
        }
        given |= {"image": image, "channels": channels, "classes": classes}
        given.pop("checkpoint", None)
        if name := given.pop("name", None):
            return preset(name, **given)
        # A ViT for the digits: 16 tokens, 0.09 M parameters.
        own_shape = {
            "patch": 2, "width": 48, "depth": 4, "heads": 6, "head_width": 8, "mlp_width": 144,
        }  # fmt: skip
        return ViTConfig(**{**own_shape, **given})


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class SplitSpec:
    """How the classes are shared out.

    Attributes:
        parts: number of sub-models.
        grouping: rule that groups classes: those that the teacher confuses together, or apart; or
            at random.
        other: whether every part has a last output for all foreign classes.
        negatives: share of every foreign class's images that a part with ``other`` learns from
            (EC-SNN takes about 0.1).
    """

    parts: Size = 5
    grouping: Grouping = "apart"
    other: StrictBool = True
    negatives: PositiveShare = 0.5


def _tuning(epochs: int) -> TrainConfig:
    """Return how a part of the digits is tuned: few images, so small batches and a high rate."""
    return TrainConfig(epochs=epochs, batch=32, learning_rate=3e-3, distillation=0.7)


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class PruneSpec:
    """How a part is pruned.

    Attributes:
        heads: number of heads that every part keeps; unless given, the largest that fits the
            devices, or one that makes all parts together about as large as the unsplit model.
        importance: score of the importance of units; ``taylor-kl`` is ``taylor`` with the exact
            ``kl`` of the 2 % of units that are next to the cut, for large models.
        images: number of the part's own images on which importance is measured.
        stages: stages of pruning, in order; every stage once.
        tuning: training after each stage but the last.
        final: training after the last stage.
        polish: training of the finished part once more, the learning rate high again; none by
            default.
        polish_negatives: share in place of ``split.negatives`` while polishing; the same unless
            given.
    """

    heads: Size | None = None
    importance: Measure = "kl"
    images: Size = 64
    stages: Annotated[tuple[Stage, ...], AfterValidator(_every_stage)] = STAGES
    tuning: TrainConfig = field(default_factory=lambda: _tuning(3))
    final: TrainConfig = field(default_factory=lambda: _tuning(15))
    polish: TrainConfig = field(default_factory=lambda: _tuning(0))
    polish_negatives: PositiveShare | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class FusionSpec:
    """How the parts' features become one answer.

    Attributes:
        hidden: widths of the layers between the concatenated features and the classes.
        whole: share of the training samples that have every part; of the others a random number of
            parts is dropped.
        samples: number of subsets measured where there are more than ten parts.
        training: training of the fusion, on frozen parts.
    """

    hidden: tuple[Size, ...] = (128,)
    whole: Share = 0.5
    samples: Count = 512
    training: TrainConfig = field(
        default_factory=lambda: TrainConfig(epochs=30, batch=64, learning_rate=2e-3)
    )

    def __post_init__(self) -> None:
        training = self.training
        if training.mixup or training.folds or training.augmentation != Augmentation():
            raise InputError(
                "the fusion is trained on features: mixup, folds and augmentation do not apply"
            )


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class LightSpec:
    """The operating point of a 4f system at which the artifact is measured on light.

    Attributes:
        bits: bits of both modulators; any value can be shown unless given.
        camera_bits: bits of the camera's converter; electrons are counted unless given.
        photons: number of photons that the camera detects per multiply-accumulate, the same in
            every layer; no noise unless given.
        images: number of test images that are measured, evenly by class.
        plane: side of modulators and camera, in pixels; every layer must fit.
    """

    bits: Bits | None = None
    camera_bits: Bits | None = None
    photons: Positive | None = None
    images: Size = 200
    plane: Size = 128


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class Budget:
    """What one device offers to a sub-model; a limit that is not given does not bind.

    Attributes:
        name: name of the device.
        memory_bytes: memory for weights, in bytes.
        macs_per_second: sustained rate of multiply-accumulates, per second; needed for a latency
            limit.
        latency_s: longest time of one image, in seconds.
        joules_per_mac: energy of a multiply-accumulate, in joules; needed for an energy limit.
        energy_j: largest energy of one image, in joules.
    """

    name: Name
    memory_bytes: Amount | None = None
    macs_per_second: Positive | None = None
    latency_s: Amount | None = None
    joules_per_mac: Amount | None = None
    energy_j: Amount | None = None

    def __post_init__(self) -> None:
        if self.latency_s is not None and not self.macs_per_second:
            raise InputError(f"device {self.name}: a latency limit needs macs_per_second")
        if self.energy_j is not None and self.joules_per_mac is None:
            raise InputError(f"device {self.name}: an energy limit needs joules_per_mac")

    @property
    def room(self) -> float:
        """Bytes for weights; infinity where no limit is given."""
        return math.inf if self.memory_bytes is None else self.memory_bytes

    def time_s(self, macs: float) -> float:
        """Return the seconds of one image; 0 where the speed is not given."""
        return macs / self.macs_per_second if self.macs_per_second else 0.0

    def joules(self, macs: float) -> float:
        """Return the joules of one image; 0 where the energy is not given."""
        return macs * (self.joules_per_mac or 0.0)

    def refusal(self, size_bytes: float, macs: float) -> str | None:
        """Tell why a sub-model does not fit, with the amounts, or None where it does."""
        if size_bytes > self.room:
            return f"needs {size_bytes:.0f} bytes, {self.name} has {self.room:.0f}"
        if self.latency_s is not None and self.time_s(macs) > self.latency_s:
            return (
                f"takes {self.time_s(macs):.4g} s on {self.name}, more than {self.latency_s:.4g} s"
            )
        if self.energy_j is not None and self.joules(macs) > self.energy_j:
            return (
                f"takes {self.joules(macs):.4g} J on {self.name}, more than {self.energy_j:.4g} J"
            )
        return None


@dataclass(frozen=True, slots=True, kw_only=True, config=_CONFIG)
class Recipe:
    """One partition run.

    Attributes:
        name: name of the artifact.
        seed: seed of every random draw.
        data: images to learn from.
        model: shape of the unsplit model.
        training: training of the unsplit model.
        split: split of the classes into parts.
        pruning: pruning of the parts.
        fusion: fusion of the parts' features.
        devices: budgets that the parts must fit, one device for each part; none unless given.
        light: operating point of a 4f system at which the accuracy on light is measured; it is not
            measured unless given.
    """

    name: Name = "partition"
    seed: Count = 0
    data: DataSpec = field(default_factory=DataSpec)
    model: UnsplitSpec = field(default_factory=UnsplitSpec)
    training: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            epochs=30, batch=64, learning_rate=3e-3, augmentation=Augmentation(shift=1)
        )
    )
    split: SplitSpec = field(default_factory=SplitSpec)
    pruning: PruneSpec = field(default_factory=PruneSpec)
    fusion: FusionSpec = field(default_factory=FusionSpec)
    devices: tuple[Budget, ...] = ()
    light: LightSpec | None = None

    @staticmethod
    def from_mapping(values: object, where: str = "recipe") -> Recipe:
        """Return the recipe of plain data, such as YAML's.

        Args:
            values: keys of this class; every key may be left out.
            where: name of the recipe in messages.

        Raises:
            InputError: keys are unknown or values wrong; a line for each names key and value.
        """
        try:
            return TypeAdapter(Recipe).validate_python(values)
        except ValidationError as error:
            raise InputError(explain(error, where)) from None

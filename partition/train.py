"""A small trainer: AdamW, cosine with warm-up, and exact resume after a kill.

A run is a function of its config, its data and its seed: every epoch draws from a generator of its
own, made from the seed and the epoch's number, so an epoch that a kill cut short is repeated as it
was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from partition.checkpoint import TrainState, restore_checkpoint, save_checkpoint
from partition.errors import PartitionError
from partition.losses import distillation_loss, soft_cross_entropy
from partition.progress import Forecast, Progress, Report, silent
from partition.recipe import Selection, TrainConfig

CPU = torch.device("cpu")

EpochBatches = Callable[[torch.Generator], Iterator[tuple[Tensor, Tensor, Tensor | None]]]
"""Given an epoch's generator, yields (inputs, target probabilities, teacher logits or None)."""


def seed_of(seed: int, *path: int) -> int:
    """Return a seed for a path of numbers (part, stage) under ``seed``.

    The mixing is numpy's seed sequence, made so that no two paths share a stream.
    """
    import numpy as np

    state = np.random.SeedSequence(seed, spawn_key=path).generate_state(2, np.uint32)
    return int(state[0]) << 31 | int(state[1]) >> 1


def generator_of(seed: int, *path: int) -> torch.Generator:
    """Return a generator of its own for a path of numbers (part, epoch) under ``seed``."""
    return torch.Generator().manual_seed(seed_of(seed, *path))


def rate(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of ``step`` (from 0): linear warm-up, then half a cosine."""
    warm = config.warmup * steps_per_epoch
    total = config.epochs * steps_per_epoch
    if step < warm:
        return config.learning_rate * (step + 1) / (warm + 1)
    share = min(1.0, (step - warm) / max(1.0, total - warm))
    low = config.final_rate
    return config.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * share)))


def _optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov, Hutter 2019) with decay on matrices only."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        matrix = parameter.ndim >= 2 and "token" not in name and "pos_embed" not in name
        (decayed if matrix else free).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, foreach=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How good a model is on the validation images.

    Attributes:
        accuracy: share of images whose highest logit is at their label, 0 to 1.
        loss: mean cross-entropy of the labels, in nats.
    """

    accuracy: float
    loss: float

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> Score:
        """Return the score of logits (images, classes)."""
        correct = (logits.argmax(-1) == labels).double().mean()
        loss = functional.cross_entropy(logits.double(), labels)
        return cls(accuracy=float(correct), loss=float(loss))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRun:
    """Name, checkpoint, progress and device of one training.

    Attributes:
        name: name of the training, for ``progress``.
        checkpoint: file that is rewritten after every epoch, and resumed from where it exists;
            ``None`` keeps nothing.
        identity: distinguishes trainings: resuming from the checkpoint of another is refused.
        progress: called after every tenth step and every epoch.
        device: device of model and batches. On a GPU, bfloat16 is mixed in.
    """

    name: str = "training"
    checkpoint: Path | None = None
    identity: str = ""
    progress: Progress = silent
    device: torch.device = CPU


def train(
    model: nn.Module,
    epoch_batches: EpochBatches,
    steps_per_epoch: int,
    config: TrainConfig,
    seed: int,
    run: TrainRun | None = None,
    *,
    evaluate: Callable[[], Score | None],
    last_epoch: int | None = None,
) -> TrainState:
    """Train ``model`` in place; it ends with the weights of its best epoch.

    The best epoch is the one that ``config.selection`` says, or the last where ``evaluate`` returns
    None.

    Args:
        model: gives logits of the inputs.
        epoch_batches: yields an epoch's batches from its generator, and draws from nothing else.
        steps_per_epoch: number of batches of an epoch.
        config: settings of the training.
        seed: seed of all random numbers.
        run: name, checkpoint, progress and device.
        evaluate: returns the score on the validation images, or None.
        last_epoch: epoch after which the training ends; that of ``config`` by default. The learning
            rate is the same either way.

    Raises:
        InputError: the checkpoint is damaged or of another training.
        PartitionError: the loss is not finite; the last good checkpoint is kept.
    """
    run = run or TrainRun()
    name, checkpoint, progress = run.name, run.checkpoint, run.progress
    model.to(run.device)
    optimizer = _optimizer(model, config)
    state = TrainState()
    if checkpoint is not None and checkpoint.exists():
        state = restore_checkpoint(checkpoint, model, optimizer, run.identity)
    end = config.epochs if last_epoch is None else min(last_epoch, config.epochs)
    if state.epoch:
        note = f"{name}: continued after epoch {state.epoch}, from {checkpoint}"
        progress(Report(step=name, done=state.epoch / end, note=note))
    forecast = Forecast(name, steps_per_epoch * (end - state.epoch), progress)
    while state.epoch < end and not _stalled(state, config):
        generator = generator_of(seed, state.epoch)
        model.train()
        total, steps = 0.0, 0
        for inputs, targets, teacher in epoch_batches(generator):
            step = state.epoch * steps_per_epoch + steps
            for group in optimizer.param_groups:
                group["lr"] = rate(config, step, steps_per_epoch)
            loss = _step(model, optimizer, config, run.device, inputs, targets, teacher)
            if not math.isfinite(loss):
                step_text = f"loss of step {steps + 1}"
                raise _not_finite(name, step_text, loss, state, checkpoint)
            total, steps = total + loss, steps + 1
            forecast.step()
            if steps % 10 == 0 and steps < steps_per_epoch:
                done = (state.epoch + steps / steps_per_epoch) / end
                known = state.history[-1]["accuracy"] if state.history else None
                progress(Report(step=name, done=min(1.0, done), loss=total / steps, accuracy=known))
        model.eval()
        score, loss = evaluate(), total / max(1, steps)
        if score is not None and not math.isfinite(score.loss):
            raise _not_finite(name, "loss on the validation images", score.loss, state, checkpoint)
        row = {"loss": loss, "learning_rate": rate(config, step, steps_per_epoch)}
        _finish_epoch(state, model, config, score, row)
        if checkpoint is not None:
            save_checkpoint(checkpoint, model, optimizer, state, run.identity)
        accuracy = None if score is None else score.accuracy
        progress(Report(step=name, done=state.epoch / end, loss=loss, accuracy=accuracy))
    if state.best:
        model.load_state_dict(state.best)
    model.eval()
    return state


def _not_finite(
    name: str, what: str, loss: float, state: TrainState, checkpoint: Path | None
) -> PartitionError:
    """Return the error for a loss that is no number."""
    good = f"the last good checkpoint, of epoch {state.epoch}, is {checkpoint}"
    return PartitionError(
        f"{name}: in epoch {state.epoch + 1}, the {what} became {loss}; "
        f"{good if checkpoint and state.epoch else 'no epoch was finished'}; "
        "lower learning_rate or set clip"
    )


def _stalled(state: TrainState, config: TrainConfig) -> bool:
    """Return whether the patience is used up."""
    return bool(config.patience) and state.epoch - state.best_epoch >= config.patience


def _finish_epoch(
    state: TrainState,
    model: nn.Module,
    config: TrainConfig,
    score: Score | None,
    row: Mapping[str, float],
) -> None:
    """Count the epoch, and keep its weights if they are the best."""
    accuracy, loss = (None, None) if score is None else (score.accuracy, score.loss)
    state.epoch += 1
    state.history.append({**row, "accuracy": accuracy, "validation_loss": loss})
    if best_epoch(state.history, config.selection) == state.epoch:
        state.best_epoch, state.best_accuracy, state.best_loss = state.epoch, accuracy, loss
        state.best = {key: value.detach().clone() for key, value in model.state_dict().items()}


def best_epoch(history: Sequence[Mapping[str, float | None]], selection: Selection) -> int:
    """Return the epoch (from 1) whose weights are taken; the first of equals.

    Args:
        history: ``accuracy`` and ``validation_loss`` of every epoch, see :class:`TrainState`.
        selection: how the epoch is chosen; where there are no scores, it is the last.
    """
    ranks = []
    for row in history:
        accuracy, loss = row["accuracy"], row["validation_loss"]
        if selection == "last" or accuracy is None or loss is None:
            return len(history)
        ranks.append((accuracy, -loss) if selection == "accuracy" else (-loss,))
    return 1 + ranks.index(max(ranks))


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    device: torch.device,
    inputs: Tensor,
    targets: Tensor,
    teacher: Tensor | None,
) -> float:
    """Take one step and return its loss; weights stay as they are where it is not finite."""
    mixed = torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
    optimizer.zero_grad(set_to_none=True)
    with mixed:
        logits = model(inputs.to(device))
    loss = soft_cross_entropy(logits, targets.to(device))
    if teacher is not None and config.distillation:
        followed = distillation_loss(logits, teacher.to(device), config.temperature)
        loss = (1 - config.distillation) * loss + config.distillation * followed
    value = float(loss.detach())
    if math.isfinite(value):
        loss.backward()  # type: ignore[no-untyped-call]
        if config.clip:
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
    return value

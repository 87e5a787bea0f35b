"""The trainer: schedules by closed form, exact resume, stops, and that it learns."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from partition.checkpoint import TrainState
from partition.classify import (
    TrainingSet,
    accuracy_of,
    class_accuracies,
    image_batches,
    predict,
    train_classifier,
)
from partition.data import stratified_folds
from partition.errors import InputError, PartitionError
from partition.losses import collapse, distillation_loss, smooth_targets, soft_cross_entropy
from partition.model import VisionTransformer
from partition.recipe import Augmentation, TrainConfig
from partition.train import Score, TrainRun, best_epoch, generator_of, rate, seed_of, train
from tests.partition.small import TINY, bars, generator

FULL = TrainConfig(
    epochs=4, batch=16, learning_rate=3e-3, warmup=0.5, mixup=0.2,
    augmentation=Augmentation(shift=1, flip=True, erase=2),
)  # fmt: skip


def _run(tmp_path, config=FULL, *, seed=0, stop_after=None, name="c", teacher=True, validate=True):
    data = bars()
    model = VisionTransformer(TINY, generator(0))
    opinion = torch.randn(80, 4, generator=generator(3)) if teacher else None
    checkpoint = tmp_path / f"{name}.safetensors"
    epochs = []

    def progress(report):
        if report.accuracy is not None or not validate:
            epochs.append(report.done)
        if stop_after is not None and len(epochs) >= stop_after:
            raise KeyboardInterrupt

    validation = data.validation if validate else data.validation.take(torch.arange(0))
    training = TrainingSet(samples=data.train, validation=validation, outputs=4, teacher=opinion)
    run = TrainRun(checkpoint=checkpoint, identity="x", progress=progress)
    state = train_classifier(model, training, data, config, seed, run)
    return model, state


def test_a_run_is_a_function_of_config_and_seed(tmp_path):
    first, state = _run(tmp_path, name="1")
    second, again = _run(tmp_path, name="2")
    other, _ = _run(tmp_path, name="3", seed=1)
    assert state.history == again.history
    assert torch.equal(first.head.weight, second.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


@pytest.mark.parametrize("kills", [[1], [1, 1, 1], [3]])
def test_a_killed_run_resumes_to_the_same_bytes(tmp_path, kills):
    _run(tmp_path, name="whole")
    for after in kills:
        with pytest.raises(KeyboardInterrupt):
            _run(tmp_path, name="killed", stop_after=after)
    _run(tmp_path, name="killed")
    whole, killed = (tmp_path / f"{name}.safetensors" for name in ("whole", "killed"))
    assert whole.read_bytes() == killed.read_bytes()


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    _run(tmp_path)
    data = bars()
    with pytest.raises(InputError, match="checkpoint of another run"):
        train_classifier(
            VisionTransformer(TINY), TrainingSet.of(data), data, FULL, 0,
            TrainRun(checkpoint=tmp_path / "c.safetensors", identity="y"),
        )  # fmt: skip


def test_it_learns_and_ends_with_the_best_weights(tmp_path):
    config = TrainConfig(epochs=12, batch=16, learning_rate=5e-3)
    model, state = _run(tmp_path, config, teacher=False)
    data = bars()
    best = max(row["accuracy"] for row in state.history)
    assert state.best_accuracy == best
    assert accuracy_of(predict(model, data.validation, data), data.validation.labels) == best
    assert accuracy_of(predict(model, data.test, data), data.test.labels) > 0.9


def _history(*scores):
    return [{"accuracy": accuracy, "validation_loss": loss} for accuracy, loss in scores]


@pytest.mark.parametrize(("selection", "epoch"), [("accuracy", 4), ("loss", 3), ("last", 5)])
def test_the_best_epoch_is_the_one_that_the_selection_names(selection, epoch):
    scores = _history((0.5, 0.9), (0.75, 0.8), (0.5, 0.3), (0.75, 0.4), (0.25, 0.6))
    assert best_epoch(scores, selection) == epoch
    assert best_epoch(_history((0.5, 0.5), (0.5, 0.5)), "accuracy") == 1
    assert best_epoch(_history((None, None), (None, None)), selection) == 2


@pytest.mark.parametrize("selection", ["accuracy", "loss", "last"])
def test_it_ends_with_the_weights_of_the_selected_epoch(tmp_path, selection):
    """Of the few epochs with equal accuracy on 40 images, the first is hardly ever the best."""
    config = TrainConfig(epochs=12, batch=16, learning_rate=5e-3, selection=selection)
    model, state = _run(tmp_path, config, teacher=False)
    assert state.best_epoch == best_epoch(state.history, selection)
    data = bars()
    score = Score.of(predict(model, data.validation, data), data.validation.labels)
    row = state.history[state.best_epoch - 1]
    assert (score.accuracy, score.loss) == (row["accuracy"], row["validation_loss"])
    highest = max(row["accuracy"] for row in state.history)
    ties = [row["validation_loss"] for row in state.history if row["accuracy"] == highest]
    assert len(ties) > 1
    if selection == "accuracy":
        assert (score.accuracy, score.loss) == (highest, min(ties))


def test_the_score_is_accuracy_and_cross_entropy():
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]), torch.tensor([0, 1, 1])
    score = Score.of(logits, labels)
    losses = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(-1)), math.log(1 + math.exp(3))]
    assert score.accuracy == pytest.approx(2 / 3)
    assert score.loss == pytest.approx(sum(losses) / 3)


def test_folds_choose_the_number_of_epochs_on_all_images(tmp_path):
    data, reports = bars(), []
    config = TrainConfig(epochs=5, batch=16, learning_rate=5e-3, folds=3)
    training = replace(TrainingSet.of(data), validation=data.validation.take(torch.arange(0)))
    run = TrainRun(name="a", checkpoint=tmp_path / "a.safetensors", progress=reports.append)
    model = VisionTransformer(TINY, generator(0))
    state = train_classifier(model, training, data, config, 0, run)
    assert {report.step for report in reports} == {"a", *(f"a, fold {n}/3" for n in (1, 2, 3))}
    plain = VisionTransformer(TINY, generator(0))
    fold_of = stratified_folds(data.train.labels, 3, generator_of(0, 1))
    scores = torch.zeros(5, 2, dtype=torch.float64)
    for fold in range(3):
        one = VisionTransformer(TINY, generator(0))
        held = data.train.take((fold_of == fold).nonzero().flatten())
        rest = data.train.take((fold_of != fold).nonzero().flatten())
        part = TrainingSet(samples=rest, validation=held, outputs=4)
        history = train_classifier(one, part, data, replace(config, folds=0), 0).history
        rows = [[row["accuracy"], row["validation_loss"]] for row in history]
        scores += len(held) / 80 * torch.tensor(rows, dtype=torch.float64)
    assert state.epoch == best_epoch(_history(*scores.tolist()), "accuracy")
    epoch, steps = image_batches(training, data, config)
    train(plain, epoch, steps, config, 0, evaluate=lambda: None, last_epoch=state.epoch)
    assert torch.equal(plain.head.weight, model.head.weight)
    with pytest.raises(InputError, match="81 folds cannot share 80 training images"):
        train_classifier(model, training, data, replace(config, folds=81), 0)


def test_folds_share_out_every_class_evenly():
    labels = torch.tensor([0] * 7 + [1] * 5 + [2] * 2)
    fold_of = stratified_folds(labels, 4, generator(0))
    assert sorted(torch.bincount(fold_of).tolist()) == [3, 3, 4, 4]
    for label, most in ((0, 2), (1, 2), (2, 1)):
        assert torch.bincount(fold_of[labels == label]).max() == most


def test_early_stop_counts_epochs_without_a_better_one(tmp_path):
    config = TrainConfig(epochs=50, batch=16, learning_rate=0.0, patience=3)
    _, state = _run(tmp_path, config)
    assert (state.best_epoch, state.epoch) == (1, 4)


def test_without_validation_images_the_last_epoch_is_kept(tmp_path):
    _, state = _run(tmp_path, TrainConfig(epochs=2, batch=16), validate=False)
    assert (state.best_epoch, state.best_accuracy) == (2, None)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tmp_path):
    model = nn.Linear(2, 2)
    calls = []

    def batches(draw):
        calls.append(1)
        inputs = torch.ones(4, 2) if len(calls) < 3 else torch.full((4, 2), math.nan)
        yield inputs, torch.full((4, 2), 0.5), None

    path = tmp_path / "c.safetensors"
    config = TrainConfig(epochs=5)
    run = TrainRun(checkpoint=path, name="part 1")
    with pytest.raises(
        PartitionError, match=r"part 1: in epoch 3, the loss of step 1 became nan.*epoch 2, is"
    ):
        train(model, batches, 1, config, 0, run, evaluate=lambda: None)
    assert all(bool(p.isfinite().all()) for p in model.parameters())
    kept = nn.Linear(2, 2)
    run = TrainRun(checkpoint=path)
    state = train(kept, batches, 1, TrainConfig(epochs=2), 0, run, evaluate=lambda: None)
    assert state.epoch == 2
    assert torch.equal(kept.weight, model.weight)


def test_a_divergent_rate_is_reported_not_returned(tmp_path):
    config = TrainConfig(epochs=30, batch=16, learning_rate=1e30, clip=0.0, warmup=0.0)
    with pytest.raises(PartitionError, match="lower learning_rate"):
        _run(tmp_path, config)


def test_the_schedule_is_a_linear_rise_and_half_a_cosine():
    config = TrainConfig(epochs=10, warmup=2.0, learning_rate=1.0, final_rate=0.1)
    rates = [rate(config, step, 5) for step in range(51)]
    assert rates[:3] == pytest.approx([1 / 11, 2 / 11, 3 / 11])
    assert rates[10] == 1.0
    assert rates[30] == pytest.approx(0.55)
    assert rates[50] == pytest.approx(0.1)


def test_losses_against_torch():
    logits = torch.randn(6, 5, generator=generator(0))
    labels = torch.tensor([0, 4, 2, 2, 1, 3])
    expected = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    loss = soft_cross_entropy(logits, smooth_targets(labels, 5, 0.1))
    torch.testing.assert_close(loss, expected)
    teacher = torch.randn(6, 5, generator=generator(1))
    divergence = nn.functional.kl_div(
        (logits / 3).log_softmax(-1), (teacher / 3).softmax(-1), reduction="batchmean"
    )
    torch.testing.assert_close(distillation_loss(logits, teacher + 7, 3.0), 9 * divergence)


def test_collapsed_probabilities_sum_the_foreign_ones():
    p = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    torch.testing.assert_close(
        collapse(p.log(), (2, 0), other=True).exp(), torch.tensor([[0.3, 0.1, 0.6]])
    )
    torch.testing.assert_close(
        collapse(p.log(), (2, 0), other=False).exp(), torch.tensor([[0.75, 0.25]])
    )


def test_class_accuracies_by_hand():
    predicted, labels = torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 1, 1])
    assert class_accuracies(predicted, labels, 3) == [0.5, 0.5, None]


@pytest.mark.parametrize(("count", "steps"), [(80, 5), (72, 5), (71, 4), (3, 1)])
def test_steps_of_an_epoch_are_counted_as_they_are_taken(count, steps):
    data = bars()
    samples = data.train.take(torch.arange(count))
    config = TrainConfig(batch=16, mixup=0.5)
    teacher = torch.zeros(count, 4)
    training = TrainingSet(samples=samples, validation=data.validation, outputs=4, teacher=teacher)
    epoch, announced = image_batches(training, data, config)
    taken = list(epoch(generator(0)))
    assert len(taken) == announced == steps
    for inputs, targets, teacher in taken:
        assert inputs.shape == (len(targets), 1, 8, 8)
        torch.testing.assert_close(targets.sum(1), torch.ones(len(targets)))
        torch.testing.assert_close(teacher.softmax(1).sum(1), torch.ones(len(targets)))


def test_seeds_of_different_paths_differ():
    paths = [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]
    assert len({seed_of(seed, *path) for seed in (0, 1) for path in paths}) == 12
    assert torch.rand(1, generator=generator_of(1, 2)) == torch.rand(
        1, generator=generator_of(1, 2)
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", -1),
        ("batch", 0),
        ("label_smoothing", 1.5),
        ("temperature", 0.0),
        ("clip", -1.0),
        ("folds", 1),
        ("selection", "first"),
    ],
)
def test_impossible_settings_are_refused(key, value):
    with pytest.raises(ValidationError, match=key):
        TrainConfig(**{key: value})


def test_a_state_starts_empty():
    assert TrainState().best_accuracy is None


def test_the_time_of_a_long_training_is_announced_once_by_its_first_steps(monkeypatch):
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr("partition.progress.time.perf_counter", lambda: next(clock))
    data, notes = bars(), []
    config = TrainConfig(epochs=2, batch=16)
    training = TrainingSet.of(data)
    run = TrainRun(name="unsplit", progress=lambda report: notes.append(report.note))
    train_classifier(VisionTransformer(TINY, generator(0)), training, data, config, 0, run)
    steps = 2 * len(data.train) // 16
    # Ten seconds a step by the clock above; two steps are taken when it is read again.
    minutes = round(10 * (steps - 2) / 60)
    said = f"{10 * (steps - 2)} s" if 10 * (steps - 2) < 100 else f"{minutes} min"
    assert [note for note in notes if note] == [f"unsplit: {steps} steps take about {said}"]


def test_the_time_of_a_short_training_is_not_announced(monkeypatch):
    clock = itertools.count(0.0, 1.5)
    monkeypatch.setattr("partition.progress.time.perf_counter", lambda: next(clock))
    data, notes = bars(), []
    run = TrainRun(progress=lambda report: notes.append(report.note))
    config = TrainConfig(epochs=1, batch=16)
    train_classifier(
        VisionTransformer(TINY, generator(0)), TrainingSet.of(data), data, config, 0, run
    )
    assert not any(notes)

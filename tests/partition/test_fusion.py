"""The fusion: parts there or not, and the table of every subset against the plain way."""

import pytest
import torch
from pydantic import ValidationError

from partition.cost import mlp_cost
from partition.entries import accuracy_entry
from partition.errors import InputError
from partition.fusion import (
    Fusion,
    make_fusion,
    presence,
    spread,
    subsets,
    survivor_accuracies,
)
from partition.recipe import Augmentation, FusionSpec, TrainConfig
from partition.steps import StepStore
from tests.partition.small import generator

WIDTHS = (3, 2, 4)


def _fusion():
    return Fusion(WIDTHS, (6,), 4, generator(0))


def test_a_missing_part_is_a_part_of_zeros():
    fusion = _fusion()
    features = torch.randn(5, 9, generator=generator(1))
    pieces = dict(enumerate(torch.split(features, WIDTHS, 1)))
    torch.testing.assert_close(fusion.combine(pieces), fusion(features))
    without = features.clone()
    without[:, 3:5] = 0
    del pieces[1]
    torch.testing.assert_close(fusion.combine(pieces), fusion(without))
    with pytest.raises(InputError, match="at least one part"):
        fusion.combine({})
    with pytest.raises(InputError, match="part 2 sends 4 features"):
        fusion.combine({2: torch.zeros(5, 3)})
    cost = mlp_cost(fusion.widths)
    assert cost["macs"] == 9 * 6 + 6 * 4
    assert cost["parameters"] == sum(parameter.numel() for parameter in fusion.parameters())


def test_presence_has_at_least_one_part_and_any_number_equally_often():
    there = presence(8000, 4, 0.2, generator(0))
    count = torch.bincount(there.sum(1), minlength=5)
    assert count[0] == 0
    # 0.2 of the samples have all four; the other 6,400 are spread over 1 to 4: 1,600 each and
    # 3,200 with all; four standard deviations of such a count are about 160
    assert (count[1:4] - 1600).abs().max() < 160
    assert abs(int(count[4]) - 3200) < 200
    alone = there[there.sum(1) == 1].float().mean(0)
    assert (alone - 0.25).abs().max() < 0.05
    assert presence(50, 3, 1.0, generator(0)).all()


def test_flags_are_spread_over_features():
    assert spread(torch.tensor([[True, False, True]]), WIDTHS).tolist() == [
        [True] * 3 + [False] * 2 + [True] * 4
    ]


@pytest.mark.parametrize("parts", [1, 3, 10])
def test_up_to_ten_parts_every_subset_comes_once(parts):
    rows = subsets(parts, 5, generator(0))
    assert rows.shape == (2**parts, parts)
    assert len({tuple(row) for row in rows.tolist()}) == 2**parts
    assert not rows[0].any()
    assert rows[-1].all()
    assert rows[1].tolist() == [True] + [False] * (parts - 1)


def test_above_ten_parts_subsets_are_sampled_with_the_ones_that_matter():
    rows = {tuple(row) for row in subsets(12, 40, generator(0)).tolist()}
    assert 26 + 20 < len(rows) <= 26 + 40
    assert (True,) * 12 in rows
    assert (False,) * 12 in rows
    for part in range(12):
        alone = tuple(index == part for index in range(12))
        assert alone in rows
        assert tuple(not there for there in alone) in rows


def test_the_survivor_table_is_the_fusion_run_on_zeroed_features():
    fusion = _fusion()
    features = torch.randn(300, 9, generator=generator(1))
    labels = torch.randint(4, (300,), generator=generator(2))
    table = survivor_accuracies(fusion, features, labels, subsets(3, 0, generator(0)))
    assert sorted(table) == sorted(f"{n:03b}" for n in range(8))
    for key, accuracy in table.items():
        there = torch.tensor([digit == "1" for digit in key])
        predicted = fusion(features * spread(there, WIDTHS)).argmax(-1)
        assert accuracy == float((predicted == labels).double().mean())


def test_training_with_parts_dropped_keeps_answers_when_one_is_lost(tmp_path):
    """Two parts that each know the class: without dropping, the fusion leans on both."""
    draw = generator(0)
    labels = torch.randint(3, (600,), generator=draw)
    signal = torch.nn.functional.one_hot(labels, 3).float()
    features = torch.cat([signal + 0.3 * torch.randn(600, 3, generator=draw) for _ in range(2)], 1)
    groups = {"train": features[:300], "validation": features[300:]}
    names = {"train": labels[:300], "validation": labels[300:]}
    spec = FusionSpec(hidden=(16,), training=TrainConfig(epochs=15, batch=32, learning_rate=5e-3))
    fusion, notes = make_fusion(
        groups, names, (3, 3), 3, spec, 0, StepStore(tmp_path), part_keys=["a", "b"]
    )
    table = survivor_accuracies(fusion, features[300:], labels[300:], subsets(2, 0, draw))
    assert table["11"] == notes["validation_accuracy"] > 0.95
    assert min(table["01"], table["10"]) > 0.9
    assert abs(table["00"] - 1 / 3) < 0.1
    again, _ = make_fusion(
        groups, names, (3, 3), 3, spec, 0, StepStore(tmp_path), part_keys=["a", "b"]
    )
    assert torch.equal(again.layers[0].weight, fusion.layers[0].weight)


def test_image_settings_mean_nothing_for_features():
    for settings in ({"mixup": 0.5}, {"augmentation": Augmentation(flip=True)}):
        with pytest.raises(ValidationError, match="mixup, folds and augmentation do not apply"):
            FusionSpec(training=TrainConfig(**settings))


def test_the_worst_class_by_hand():
    predictions, labels = torch.tensor([0, 0, 1, 2, 1]), torch.tensor([0, 0, 1, 1, 2])
    logits = torch.nn.functional.one_hot(predictions, 4).float()
    entry = accuracy_entry(logits, labels, ("a", "b", "c", "never"))
    assert (entry.accuracy, entry.worst_class, entry.worst_class_accuracy) == (0.6, "c", 0.0)
    assert entry.class_accuracies == (1.0, 0.5, 0.0, None)

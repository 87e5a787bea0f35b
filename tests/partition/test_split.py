"""Groups of classes: balance as a property, confusion groups against brute force."""

from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from partition.data import Samples
from partition.errors import InputError
from partition.split import (
    PartClasses,
    confusion,
    confusion_groups,
    part_classes,
    part_indices,
    part_samples,
    random_groups,
)
from tests.partition.small import generator


def inner_confusion(matrix, groups):
    """Return the sum of confusion between different classes of one group, over all groups."""
    total = 0.0
    for group in groups:
        block = matrix[list(group)][:, list(group)]
        total += float(block.sum() - block.diagonal().sum())
    return total


@given(classes=st.integers(2, 60), data=st.data(), seed=st.integers(0, 2**31))
def test_groups_are_balanced_and_cover_every_class_once(classes, data, seed):
    parts = data.draw(st.integers(1, classes))
    matrix = torch.rand(classes, classes, generator=generator(seed))
    for groups in (
        random_groups(classes, parts, seed),
        confusion_groups(matrix, parts, "together"),
        confusion_groups(matrix, parts, "apart"),
    ):
        assert sorted(c for group in groups for c in group) == list(range(classes))
        sizes = [len(group) for group in groups]
        assert len(groups) == parts
        assert max(sizes) - min(sizes) <= 1


def test_random_groups_differ_by_seed():
    assert random_groups(10, 5, 1) == random_groups(10, 5, 1)
    assert len({random_groups(10, 5, seed) for seed in range(20)}) > 15


@pytest.mark.parametrize("seed", range(5))
def test_confusion_groups_cannot_be_bettered_by_an_exchange_and_pairs_are_near_the_optimum(seed):
    matrix = torch.rand(6, 6, generator=generator(seed), dtype=torch.float64)
    orders = [tuple(order[i : i + 2] for i in (0, 2, 4)) for order in permutations(range(6))]
    values = [inner_confusion(matrix, groups) for groups in orders]
    together = inner_confusion(matrix, confusion_groups(matrix, 3, "together"))
    apart = inner_confusion(matrix, confusion_groups(matrix, 3, "apart"))
    mean = sum(values) / len(values)
    assert min(values) <= apart < mean < together <= max(values)


def test_blocks_of_confused_classes_are_found():
    matrix = torch.eye(6, dtype=torch.float64)
    for a, b in ((0, 3), (1, 5), (2, 4)):
        matrix[a, b] = matrix[b, a] = 0.4
    assert set(confusion_groups(matrix, 3, "together")) == {(0, 3), (1, 5), (2, 4)}
    assert inner_confusion(matrix, confusion_groups(matrix, 3, "apart")) == 0.0


def test_confusion_is_the_mean_probability_by_true_class():
    log_p = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]).log()
    expected = torch.tensor([[0.7, 0.3], [0.2, 0.8]], dtype=torch.float64)
    torch.testing.assert_close(confusion(log_p, torch.tensor([0, 0, 1])), expected)


@pytest.mark.parametrize(("classes", "parts"), [(1, 1), (4, 5), (4, 0)])
def test_more_parts_than_classes_or_one_class_are_refused(classes, parts):
    with pytest.raises(InputError, match="classes"):
        random_groups(classes, parts, 0)


def test_a_part_of_one_class_needs_other_and_the_whole_has_none():
    with pytest.raises(InputError, match="needs an 'other' output"):
        part_classes(((0,), (1,)), other=False)
    assert part_classes(((0, 1),), other=True) == (PartClasses(classes=(0, 1), other=False),)
    assert [part.outputs for part in part_classes(((0,), (1,)), other=True)] == [2, 2]


def test_a_part_learns_from_its_classes_and_a_share_of_the_others():
    labels = torch.arange(4).repeat(50)
    part = PartClasses(classes=(3, 1), other=True)
    indices = part_indices(labels, part, 0.1, generator(0))
    samples = part_samples(
        Samples(torch.zeros(200, 1, 2, 2, dtype=torch.uint8), labels), indices, part
    )
    assert torch.bincount(labels[indices]).tolist() == [5, 50, 5, 50]
    assert torch.bincount(samples.labels).tolist() == [50, 50, 10]
    assert samples.labels[labels[indices] == 3].eq(0).all()
    alone = part_indices(labels, PartClasses(classes=(3, 1), other=False), 0.1, generator(0))
    assert torch.bincount(labels[alone]).tolist() == [0, 50, 0, 50]

"""Share out the classes: balanced groups, at random or by what the teacher confuses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from partition.data import Samples
from partition.errors import InputError
from partition.recipe import GROUPINGS

Groups = tuple[tuple[int, ...], ...]
"""Classes of every part, each in rising order."""


def group_sizes(classes: int, parts: int) -> list[int]:
    """Return how many classes each part gets: the first ``classes % parts`` get one more.

    Raises:
        InputError: fewer than two classes, or not from 1 to ``classes`` parts.
    """
    if classes < 2:
        raise InputError(f"splitting by classes needs at least two classes, not {classes}")
    if not 1 <= parts <= classes:
        raise InputError(
            f"{parts} parts cannot share {classes} classes: every part needs at least one; "
            f"set parts from 1 to {classes}"
        )
    small, larger = divmod(classes, parts)
    return [small + (index < larger) for index in range(parts)]


def random_groups(classes: int, parts: int, seed: int) -> Groups:
    """Return balanced groups of randomly chosen classes; sizes differ by at most one.

    Raises:
        InputError: see :func:`group_sizes`.
    """
    sizes = group_sizes(classes, parts)
    order = torch.randperm(classes, generator=torch.Generator().manual_seed(seed))
    return tuple(tuple(sorted(group.tolist())) for group in torch.split(order, sizes))


def confusion(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return (classes, classes): the mean probability that images of a row's class give a column's.

    Probabilities hold more information than counts where the teacher is nearly always right.
    """
    classes = log_probabilities.shape[1]
    onehot = torch.nn.functional.one_hot(labels, classes).double()
    sums = onehot.T @ log_probabilities.double().exp()
    return sums / onehot.sum(0).clamp_min(1)[:, None]


def confusion_groups(matrix: Tensor, parts: int, grouping: str) -> Groups:
    """Return balanced groups whose inner confusion is high (``together``) or low (``apart``).

    Starting from classes in order, the pair of classes of different groups whose exchange helps
    most is exchanged, until none helps (Kernighan, Lin 1970, one pair at a time). Every exchange
    raises a bounded sum, so it ends; equal gains go to the first pair, so it is deterministic.

    Args:
        matrix: (classes, classes) confusion; the diagonal is not used.
        parts: number of groups.
        grouping: ``together`` or ``apart``.

    Raises:
        InputError: see :func:`group_sizes`; or the grouping is not one of the two.
    """
    if grouping not in ("together", "apart"):
        raise InputError(f"grouping must be one of {', '.join(GROUPINGS)}, not '{grouping}'")
    classes = len(matrix)
    sizes = group_sizes(classes, parts)
    closeness = (matrix + matrix.T).double().clone()
    closeness.fill_diagonal_(0.0)
    if grouping == "apart":
        closeness = -closeness
    owner = torch.repeat_interleave(torch.arange(parts), torch.tensor(sizes))
    while True:
        member = torch.nn.functional.one_hot(owner, parts).double()
        pull = closeness @ member
        own = pull.gather(1, owner[:, None])
        move = pull[:, owner] - own
        gain = move + move.T - 2 * closeness
        gain[owner[:, None] == owner[None, :]] = 0.0
        best = int(gain.argmax())
        first, second = divmod(best, classes)
        if float(gain[first, second]) <= 1e-12:
            break
        owner[first], owner[second] = owner[second].clone(), owner[first].clone()
    groups = [tuple((owner == part).nonzero().flatten().tolist()) for part in range(parts)]
    return tuple(groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartClasses:
    """The classes that one part distinguishes.

    Attributes:
        classes: classes, numbered as in the whole data set, in the order of the part's outputs.
        other: whether a last output is for all other classes.
    """

    classes: tuple[int, ...]
    other: bool

    @property
    def outputs(self) -> int:
        """Outputs of the part."""
        return len(self.classes) + self.other


def part_classes(groups: Groups, other: bool) -> tuple[PartClasses, ...]:
    """Return the outputs of every part.

    A part that has every class has no other; a part of one class without ``other`` would have
    nothing to distinguish.

    Raises:
        InputError: a part has one class and no ``other``.
    """
    everything = len(groups) == 1
    if not other and not everything and any(len(group) == 1 for group in groups):
        raise InputError("a part of one class needs an 'other' output: set split.other: true")
    return tuple(PartClasses(classes=group, other=other and not everything) for group in groups)


def part_indices(
    labels: Tensor, part: PartClasses, negatives: float, generator: torch.Generator
) -> Tensor:
    """Return the indices of the samples that a part learns from, in rising order.

    All samples of its own classes, and with ``other`` the share ``negatives`` of every foreign
    class (EC-SNN takes about 0.1), drawn from ``generator``.
    """
    own = torch.isin(labels, torch.tensor(part.classes))
    chosen = [own.nonzero().flatten()]
    if part.other:
        for label in range(int(labels.max()) + 1):
            if label not in part.classes:
                members = (labels == label).nonzero().flatten()
                order = torch.randperm(len(members), generator=generator)
                chosen.append(members[order[: round(negatives * len(members))]])
    return torch.cat(chosen).sort().values


def part_labels(labels: Tensor, part: PartClasses) -> Tensor:
    """Return each sample's output of the part: its class's place, or the last for foreign ones."""
    renamed = torch.full_like(labels, len(part.classes))
    for place, label in enumerate(part.classes):
        renamed[labels == label] = place
    return renamed


def part_samples(samples: Samples, indices: Tensor, part: PartClasses) -> Samples:
    """Return the samples at ``indices`` with the part's own labels."""
    chosen = samples.take(indices)
    return Samples(chosen.images, part_labels(chosen.labels, part))

"""Losses and targets of training: smoothed, mixed and distilled classification."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def smooth_targets(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Return (batch, classes) probabilities: 1 - s on the label and s / classes on every class.

    Szegedy et al. 2016.
    """
    targets = torch.full((len(labels), classes), smoothing / classes)
    targets[torch.arange(len(labels)), labels] += 1.0 - smoothing
    return targets


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over the batch of -Σ t log softmax(z), in nats."""
    return -(targets * functional.log_softmax(logits.float(), -1)).sum(-1).mean()


def distillation_loss(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T² · mean KL(softmax(teacher / T) ‖ softmax(logits / T)), in nats.

    Hinton, Vinyals, Dean 2015; T² keeps the gradient's size as T changes. ``teacher`` are logits or
    log-probabilities, which differ by a constant that the softmax removes.
    """
    student = functional.log_softmax(logits.float() / temperature, -1)
    target = functional.log_softmax(teacher / temperature, -1)
    divergence = functional.kl_div(student, target, log_target=True, reduction="batchmean")
    return temperature**2 * divergence


def collapse(log_probabilities: Tensor, classes: tuple[int, ...], other: bool) -> Tensor:
    """Return log-probabilities over a part's classes of those over all classes.

    With ``other`` the last output is the sum of all foreign classes; without it the part's classes
    are renormalised to one, which is what "given that it is one of these" means.

    Args:
        log_probabilities: (samples, all classes).
        classes: the part's, in the order of its outputs.
        other: whether the part has an output for everything else.
    """
    own = log_probabilities[:, list(classes)]
    if not other:
        return functional.log_softmax(own, -1)
    foreign = [c for c in range(log_probabilities.shape[1]) if c not in classes]
    rest = torch.logsumexp(log_probabilities[:, foreign], -1, keepdim=True)
    return torch.cat((own, rest), -1)

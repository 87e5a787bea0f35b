"""Every draw takes a generator on the device of the data, and nothing else."""

from __future__ import annotations

import pytest
import torch

from optics.checks import required_generator
from optics.errors import InputError
from optics.straight import straight_through


def test_a_generator_is_required_and_returned() -> None:
    generator = torch.Generator()
    assert required_generator(generator, torch.device("cpu"), "noise is drawn") is generator
    with pytest.raises(InputError, match=r"noise is drawn: give generator=torch\.Generator"):
        required_generator(None, torch.device("cpu"), "noise is drawn")


def test_a_generator_of_another_device_is_refused() -> None:
    with pytest.raises(InputError, match="must be on cuda:1, where the data are; it is on cpu"):
        required_generator(torch.Generator(), torch.device("cuda:1"), "noise is drawn")


def test_straight_through_is_exact_forward_and_the_identity_backward() -> None:
    values = torch.tensor([0.1, 0.7, -0.3], dtype=torch.float64, requires_grad=True)
    steps = torch.tensor([0.0, 1 / 3, 5.0], dtype=torch.float64)
    made = straight_through(values, steps)
    assert torch.equal(made, steps)
    weights = torch.tensor([2.0, 3.0, 4.0], dtype=torch.float64)
    (found,) = torch.autograd.grad((made.square() * weights).sum(), values, create_graph=True)
    # d(m² w)/dm = 2 m w, at the steps that are shown; its own derivative is 2 w.
    torch.testing.assert_close(found, 2 * steps * weights)
    (second,) = torch.autograd.grad(found.sum(), values)
    torch.testing.assert_close(second, 2 * weights)

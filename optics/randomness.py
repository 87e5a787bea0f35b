"""Random draws come from a generator that the caller gives, and from nothing else."""

from __future__ import annotations

import torch

from optics.errors import InputError


def required_generator(
    generator: torch.Generator | None, device: torch.device, why: str
) -> torch.Generator:
    """Return ``generator`` if it is one on ``device``; ``why`` names what is random.

    Raises:
        InputError: there is none, or it belongs to another device.
    """
    if generator is None:
        raise InputError(f"{why}: give generator=torch.Generator(device) with a seed of your own")
    if generator.device.type != device.type:
        raise InputError(
            f"the generator must be on {device}, where the data are; it is on {generator.device}"
        )
    return generator

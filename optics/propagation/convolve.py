"""Propagation as a product with a transfer function, on a dark or a periodic surround."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from optics.errors import InputError
from optics.field import Field
from optics.ideal.problem import fast_size

Surround = Literal["dark", "periodic"]
"""What lies around the window: nothing, or the window again and again."""

CACHE_BYTES = 2**28
"""Bound on the transfer functions that each method keeps: 256 MiB."""


def plane(field: Field, surround: Surround) -> tuple[int, int]:
    """Return the samples of the plane that is computed: twice the window where dark is around it.

    Twice the window lets light go from any sample to any other without meeting its periodic copy.

    Raises:
        InputError: the surround is of another name.
    """
    if surround == "periodic":
        return field.shape
    if surround == "dark":
        rows, columns = field.shape
        return fast_size(2 * rows - 1), fast_size(2 * columns - 1)
    raise InputError(f"surround must be 'dark' or 'periodic'; {surround!r} came")


def transferred(field: Field, transfer: Tensor) -> Field:
    """Return the field whose spectrum on the plane of ``transfer`` is multiplied by it."""
    rows, columns = field.shape
    plane = (transfer.shape[-2], transfer.shape[-1])
    # Padding behind the data, not around it, moves nothing: the product is blind to the origin.
    spectrum = torch.fft.fft2(field.data, s=plane)
    data = torch.fft.ifft2(spectrum * transfer)
    return field.with_data(data[..., :rows, :columns])

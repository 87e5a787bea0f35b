"""Propagation as a product with a transfer function, which is cached for the next call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import wraps
from threading import Lock
from typing import Literal, ParamSpec

import torch
from torch import Tensor

from optics.errors import InputError
from optics.field import Field
from optics.grid import frequencies
from optics.ideal.problem import fast_size

P = ParamSpec("P")


def cached(max_bytes: int) -> Callable[[Callable[P, Tensor]], Callable[P, Tensor]]:
    """Cache the results of a function of hashable arguments; the least recently used go first.

    A tensor above the bound is computed at each call. Cached tensors never belong to a gradient or
    to inference mode, so that any caller may use them; no caller may change them.
    """

    def decorate(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
        cache: OrderedDict[Hashable, Tensor] = OrderedDict()
        lock = Lock()

        @wraps(function)
        def get(*args: P.args, **kwargs: P.kwargs) -> Tensor:
            key = (args, tuple(sorted(kwargs.items())))
            with lock:
                if key in cache:
                    cache.move_to_end(key)
                    return cache[key]
            with torch.inference_mode(False), torch.no_grad():
                made = function(*args, **kwargs)
            with lock:
                cache[key] = made
                while cache and sum(t.nbytes for t in cache.values()) > max_bytes:
                    cache.popitem(last=False)
            return made

        return get

    return decorate


Surround = Literal["dark", "periodic"]
"""Surround of the window: dark, or the window repeated periodically."""

CACHE_BYTES = 2**28
"""Bound on the cached transfer functions of each method: 256 MiB."""


@dataclass(frozen=True, slots=True)
class Plane:
    """The samples on which a transfer function is computed, and the light.

    Attributes:
        shape: (rows, columns).
        pitch_m: distance between samples (down, right).
        wavelength_m: λ.
        dtype: complex type of the field.
        device: device of the field.
    """

    shape: tuple[int, int]
    pitch_m: tuple[float, float]
    wavelength_m: float
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, field: Field, surround: Surround, times: int = 2) -> Plane:
        """Return the plane of a field: its window, or with a dark surround ``times`` the window.

        Twice the window lets light go from any sample to any other without meeting its periodic
        copy.

        Raises:
            InputError: the surround is of another name.
        """
        rows, columns = field.shape
        if surround == "dark":
            rows, columns = fast_size(times * rows - 1), fast_size(times * columns - 1)
        elif surround != "periodic":
            raise InputError(f"surround must be 'dark' or 'periodic'; got {surround!r}")
        # An axis of one sample is uniform: padded it would be a line of light.
        shape = (1 if field.shape[0] == 1 else rows, 1 if field.shape[1] == 1 else columns)
        kind = field.data.dtype, field.data.device
        return cls(shape, field.pitch_m, field.wavelength_m, *kind)

    @property
    def frequencies(self) -> tuple[Tensor, Tensor]:
        """Frequencies in the transform's order, (H, 1) and (1, W), per metre, float64."""
        rows, columns = (
            frequencies(count, pitch_m, device=self.device)
            for count, pitch_m in zip(self.shape, self.pitch_m, strict=True)
        )
        return rows[:, None], columns

    @property
    def places(self) -> tuple[Tensor, Tensor]:
        """Places in the transform's order, (H, 1) and (1, W), in metres, float64."""
        # fftfreq in units of one sample is 0, 1, …, then the negative ones.
        rows, columns = (
            frequencies(count, 1 / (count * pitch_m), device=self.device)
            for count, pitch_m in zip(self.shape, self.pitch_m, strict=True)
        )
        return rows[:, None], columns

    @property
    def critical_m(self) -> tuple[float, float]:
        """S dx / λ of both axes: where a chirp and its spectrum are sampled alike."""
        rows, columns = (
            count * pitch_m**2 / self.wavelength_m
            for count, pitch_m in zip(self.shape, self.pitch_m, strict=True)
        )
        return rows, columns


def transferred(field: Field, transfer: Tensor) -> Field:
    """Return the field whose spectrum on the plane of ``transfer`` is multiplied by it."""
    if field.data.numel() == 0:
        return field  # transforms take no empty batch
    rows, columns = field.shape
    plane = (transfer.shape[-2], transfer.shape[-1])
    # Padding behind the data, not around it, moves nothing: the product is blind to the origin.
    spectrum = torch.fft.fft2(field.data, s=plane)
    data = torch.fft.ifft2(spectrum * transfer)
    return field.with_data(data[..., :rows, :columns])

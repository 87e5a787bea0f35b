"""Propagation as a product with a transfer function, which is cached for the next call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from threading import Lock
from typing import Literal, ParamSpec

import torch
from torch import Tensor

from optics.errors import InputError
from optics.field import Field
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
    raise InputError(f"surround must be 'dark' or 'periodic'; got {surround!r}")


def transferred(field: Field, transfer: Tensor) -> Field:
    """Return the field whose spectrum on the plane of ``transfer`` is multiplied by it."""
    rows, columns = field.shape
    plane = (transfer.shape[-2], transfer.shape[-1])
    # Padding behind the data, not around it, moves nothing: the product is blind to the origin.
    spectrum = torch.fft.fft2(field.data, s=plane)
    data = torch.fft.ifft2(spectrum * transfer)
    return field.with_data(data[..., :rows, :columns])

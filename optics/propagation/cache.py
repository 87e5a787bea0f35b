"""Transfer functions kept for the next call, as many as fit a bound of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from threading import Lock
from typing import ParamSpec

import torch
from torch import Tensor

P = ParamSpec("P")


def cached(max_bytes: int) -> Callable[[Callable[P, Tensor]], Callable[P, Tensor]]:
    """Keep what a function of hashable arguments returns; the longest unused go first.

    A tensor above the bound is made anew each time. What is kept never belongs to a gradient or
    to inference mode, so that any caller may use it; nobody may change it.
    """

    def decorate(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
        kept: OrderedDict[Hashable, Tensor] = OrderedDict()
        lock = Lock()

        @wraps(function)
        def get(*args: P.args, **kwargs: P.kwargs) -> Tensor:
            key = (args, tuple(sorted(kwargs.items())))
            with lock:
                if key in kept:
                    kept.move_to_end(key)
                    return kept[key]
            with torch.inference_mode(False), torch.no_grad():
                made = function(*args, **kwargs)
            with lock:
                kept[key] = made
                while kept and sum(t.nbytes for t in kept.values()) > max_bytes:
                    kept.popitem(last=False)
            return made

        return get

    return decorate

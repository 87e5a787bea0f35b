"""Lets timm be imported beside the CPU build of torch.

timm imports torchvision, whose wheel is compiled for the CUDA build: its kernels do not load, and
it then fails to describe them to torch. No Vision Transformer uses one of them.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests import needs


def import_timm() -> Any:
    """Return timm; skip the tests of the calling module where it is not installed."""
    describe = torch.library.register_fake

    def describe_others(name: Any, *arguments: Any, **options: Any) -> Any:
        if str(name).startswith("torchvision::"):
            return _as_it_is
        return describe(name, *arguments, **options)

    torch.library.register_fake = describe_others
    try:
        return pytest.importorskip("timm", exc_type=ImportError, reason=needs.TIMM.reason)
    finally:
        torch.library.register_fake = describe


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function

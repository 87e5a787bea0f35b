"""Packages that only notebooks use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edgesim.common.errors import EdgesimError


def need(module: str) -> Any:
    """Return a module.

    Raises:
        EdgesimError: it is not installed; the message says what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise EdgesimError(
            f"{package} is not installed; pip install 'edgesim[notebook]' brings it"
        ) from error

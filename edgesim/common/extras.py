"""What an installation may lack: extras of the package, and one message where one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edgesim.common.errors import InputError

_NODE = ("grpc", "grpc_health", "grpc_reflection", "google.protobuf", "cryptography",
         "prometheus_client", "psutil", "PIL")  # fmt: skip
_TORCH_NODE = (*_NODE, "torch", "safetensors")
MODULES: dict[str, tuple[str, ...]] = {
    "train": ("torch", "safetensors", "scipy", "sklearn", "PIL"),
    "node": _NODE,
    "torch-node": _TORCH_NODE,
    "profile": (*_TORCH_NODE, "scipy"),
    "zoo": ("timm", "torch"),
    "onnx": ("onnx",),
    "mpi": ("mpi4py",),
    "parquet": ("pyarrow",),
    "search": ("optuna",),
    "plots": ("matplotlib",),
    "notebook": ("matplotlib", "pandas"),
}
"""Modules that each extra brings."""


def require(
    what: str, extra: str, *, only: Sequence[str] | None = None, otherwise: str = ""
) -> None:
    """Check that an extra is installed; none of its modules is imported.

    Args:
        what: needs it, for the message: ``\\`edgesim partition\\```.
        extra: one of `MODULES`.
        only: modules of it that are needed; all unless given.
        otherwise: alternative for the user.

    Raises:
        InputError: a module of it is missing; the message names the extra.
    """
    lacking = [name for name in only or MODULES[extra] if not _is_installed(name)]
    if lacking:
        raise missing(what, ", ".join(lacking), extra, otherwise=otherwise)


def load(what: str, module: str, extra: str, *, otherwise: str = "") -> Any:
    """Return a module of an extra.

    Args:
        what: needs it, for the message.
        module: its name.
        extra: one of `MODULES`.
        otherwise: alternative for the user.

    Raises:
        InputError: it is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError:
        raise missing(what, module.partition(".")[0], extra, otherwise=otherwise) from None


def missing(what: str, packages: str, extra: str, *, otherwise: str = "") -> InputError:
    """Return the error of a missing extra; see `load`."""
    message = f"{what} needs {packages}: pip install 'edgesim[{extra}]'"
    return InputError(f"{message}; or {otherwise}" if otherwise else message)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False

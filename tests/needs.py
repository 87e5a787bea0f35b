"""What tests use beside Python and the packages that every run has: how it is seen and brought.

A test that needs what is absent is skipped, with the reason and the command that brings it.
``EDGESIM_BARE=1`` (``make test BARE=1``) hides all of it, also from the commands that tests start.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

BARE = os.environ.get("EDGESIM_BARE", "") not in ("", "0")
BARE_PATH = Path(__file__).with_name("bare")
"""On ``PYTHONPATH`` of the commands that tests start: hides packages there; holds no data sets."""


@dataclass(frozen=True)
class Need:
    """One optional thing.

    Attributes:
        name: what it is called in the reason of a skipped test.
        command: that brings it.
        find: looks for it: returns None, an empty text or False where it is absent.
    """

    name: str
    command: str
    find: Callable[[], object]

    @functools.cached_property
    def found(self) -> str:
        """What ``find`` returned, as text; empty where the thing is absent or hidden."""
        return "" if BARE else str(self.find() or "")

    @property
    def reason(self) -> str:
        """Why a test that needs it is skipped."""
        return f"{self.name} is {'hidden' if BARE else 'absent'}; {self.command} brings it"

    @property
    def mark(self) -> pytest.MarkDecorator:
        """Mark that skips a test, or with ``pytestmark`` a module, where it is absent."""
        return pytest.mark.skipif(not self.found, reason=self.reason)

    def require(self) -> str:
        """Return what was found; skip the test, or the module that is imported, without it."""
        if not self.found:
            pytest.skip(self.reason, allow_module_level=True)
        return self.found


def _package(name: str, command: str) -> Need:
    return Need(name, command, lambda: importlib.util.find_spec(name))


def _program(*names: str) -> Callable[[], str | None]:
    """Return what looks for the first of ``names``, also beside this interpreter."""
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    return lambda: next(filter(None, (shutil.which(name, path=path) for name in names)), None)


def _fashion_mnist() -> Path | None:
    from partition.data.mnist import FASHION_MNIST as SOURCE

    return SOURCE.installed()


def _simgrid() -> str | None:
    """Return a Python that has SimGrid; Debian's own has it with the package python3-simgrid."""
    for name in ("python3", "/usr/bin/python3"):
        found = shutil.which(name)
        command = [found or "false", "-c", "import simgrid"]
        if subprocess.run(command, capture_output=True).returncode == 0:
            return found
    return None


def _mpi() -> str | None:
    return _program("mpiexec")() if importlib.util.find_spec("mpi4py") else None


def _root() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0 and bool(shutil.which("mount"))


def _networks() -> bool:
    return _root() and all(map(shutil.which, ("ip", "tc")))


SYSTEM, PEERS = "`make system` as root", "`make peers`"
FASHION_MNIST = Need("the data set Fashion-MNIST", SYSTEM, _fashion_mnist)
CHROMIUM = Need("chromium", SYSTEM, _program("chromium", "chromium-browser"))
SIMGRID = Need("SimGrid", SYSTEM, _simgrid)
NETWORKS = Need("the right to make networks (Linux, root, iproute2)", SYSTEM, _networks)
MOUNTS = Need("the right to mount file systems (Linux, root)", "`sudo make test`", _root)
MPI = Need("MPI", "`pip install 'edgesim[mpi]'`", _mpi)
MATPLOTLIB = _package("matplotlib", "`pip install 'edgesim[plots]'`")
MKDOCS = _package("mkdocstrings", "`pip install 'edgesim[docs]'`")
ONNX = _package("onnx", "`pip install 'edgesim[onnx]'`")
ONNXSCRIPT = _package("onnxscript", "`pip install 'edgesim[dev]'`")
OPTUNA = _package("optuna", "`pip install 'edgesim[search]'`")
PANDAS = _package("pandas", "`pip install 'edgesim[notebook]'`")
PYARROW = _package("pyarrow", "`pip install 'edgesim[parquet]'`")
SALIB = _package("SALib", "`pip install 'edgesim[dev]'`")
CIW = _package("ciw", PEERS)
SALABIM = _package("salabim", PEERS)
TIMM = _package("timm", PEERS)
TRANSFORMERS = _package("transformers", PEERS)
TRITON = _package("tritonclient", PEERS)
OPTICS_PEERS = {
    name: _package(name, PEERS) for name in ("prysm", "hcipy", "LightPipes", "torchoptics")
}
PACKAGES = (
    "SALib", "ciw", "matplotlib", "mkdocs", "mkdocstrings", "mpi4py", "onnx", "onnxscript",
    "optuna", "pandas", "pyarrow", "salabim", "timm", "tritonclient", *OPTICS_PEERS,
)  # fmt: skip


def hide() -> None:
    """With ``EDGESIM_BARE``, hide every optional thing from this process and those it starts."""
    if BARE:
        os.environ["PYTHONPATH"] = os.environ["XDG_DATA_DIRS"] = str(BARE_PATH)
        os.environ["EDGESIM_HIDDEN"] = ",".join(PACKAGES)
        sys.modules.update(dict.fromkeys(PACKAGES))

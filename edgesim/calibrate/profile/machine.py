"""Description of the measured machine: processor, memory, versions; the source of figures."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a profile was made.

    Attributes:
        processor: name of the CPU, or of the GPU.
        cores: processors that a node may use.
        memory_bytes: memory of the machine, or of the GPU.
        system: kernel and architecture.
        versions: versions of the packages that compute and send messages.
        date: date of the profile, UTC.
    """

    processor: str
    cores: int
    memory_bytes: int
    system: str
    versions: str
    date: str

    @property
    def source(self) -> str:
        """Return where and when, for the source of a figure."""
        return f"on {self.processor}, {self.system}; {self.versions}; {self.date}"


def find_machine(device: str, cpus: frozenset[int] | None) -> Machine:
    """Return this machine, or its GPU.

    Args:
        device: ``cpu`` or ``cuda``.
        cpus: processors that are used; None for all that this process may use.
    """
    import psutil
    import torch

    name, memory_bytes = processor_name(), int(psutil.virtual_memory().total)
    cores = len(cpus) if cpus is not None else len(usable())
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        name, memory_bytes, cores = str(properties.name), int(properties.total_memory), 1
    packages = ("torch", "grpcio", "edgesim")
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{package} {version(package)}" for package in packages]
    return Machine(
        processor=name,
        cores=cores,
        memory_bytes=memory_bytes,
        system=f"{platform.system()} {platform.machine()}",
        versions=", ".join(versions),
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
    )


def usable() -> list[int]:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def processor_name(root: Path = Path("/")) -> str:
    """Return the name of the CPU: of the board, where the CPU has none (Raspberry Pi)."""
    try:
        lines = (root / "proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    found = dict(reversed([_pair(line) for line in lines if ":" in line]))
    for key in ("model name", "Model", "Hardware"):
        if found.get(key):
            return found[key]
    return platform.processor() or platform.machine() or "unknown processor"


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()

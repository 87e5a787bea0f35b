"""A small disk of its own, to fill."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of ``size`` below ``folder``; skip the test where nobody may mount."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        # A disk that is really full takes a mount; .ci/run is root, where nothing is skipped.
        pytest.skip("mounting a small file system needs root")
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        # A container may have root without the right to mount.
        pytest.skip("mounting is not allowed here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)

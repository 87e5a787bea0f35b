"""One image file as pixels of 8 bits: oriented, scaled, resized, or refused with its name."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from partition.errors import InputError

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".ppm", ".pgm", ".pbm", ".pnm",
    ".tif", ".tiff", ".gif", ".jp2", ".j2k", ".avif",
)  # fmt: skip
"""Ends of the names of image files; of one with several frames the first is read."""
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's mode by number of channels."""


def require_pillow() -> None:
    """Check that images can be decoded.

    Raises:
        InputError: Pillow is not installed.
    """
    try:
        import_module("PIL.Image")
    except ImportError as error:
        raise InputError(
            "an image folder needs Pillow to decode images: pip install pillow"
        ) from error


def decode(path: Path, size: tuple[int, int], channels: int) -> Tensor:
    """Return the pixels of an image file, (channels, height, width), uint8.

    The orientation that the file's EXIF data say is applied. Levels of 16 bits become
    round(level · 255 / 65535). The image is resized, bicubic, so that it covers ``size``, and its
    middle is cut out.

    Args:
        path: the file.
        size: height and width of the result, in pixels.
        channels: 1 for grey, 3 for RGB, 4 with opacity, 2 for grey with opacity.

    Raises:
        InputError: the file is damaged, or no image that is read here; the message names it.
    """
    image, operations = import_module("PIL.Image"), import_module("PIL.ImageOps")
    try:
        with warnings.catch_warnings():
            # Pillow warns of what it can read; what it cannot read is an error.
            warnings.simplefilter("ignore")
            with image.open(path) as opened:
                opened.load()
                upright = operations.exif_transpose(opened)
                plain = _levels(upright, opened.format, image).convert(_MODES[channels])
                height, width = size
                fitted = operations.fit(plain, (width, height), image.Resampling.BICUBIC)
    except Exception as error:  # Decoders raise errors of every kind on damaged files.
        raise InputError(
            f"cannot decode {path}: {_reason(error)}; repair or remove it, or leave such files "
            "out with --skip-damaged"
        ) from error
    flat = torch.frombuffer(bytearray(fitted.tobytes()), dtype=torch.uint8)
    return flat.reshape(height, width, channels).permute(2, 0, 1).contiguous()


def _levels(opened: Any, kind: str | None, image: Any) -> Any:
    """Return an image of 8 bits a channel."""
    mode = opened.mode
    # Pillow holds the 16 bits of a PNG or PGM file in 32.
    if mode.startswith("I;16") or (mode == "I" and kind in ("PNG", "PPM")):
        levels = np.asarray(opened).astype(np.int64)
        return image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    if mode in ("I", "F"):
        raise ValueError(
            f"its pixels are {'32-bit integers' if mode == 'I' else 'floating-point numbers'}, "
            "whose white is not known; save it with 8 or 16 bits"
        )
    return opened


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    return text or type(error).__name__

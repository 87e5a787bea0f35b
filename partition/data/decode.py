"""One image file as pixels of 8 bits: oriented, scaled, resized, or refused with its name."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from partition.errors import InputError

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".ppm", ".pgm", ".pbm", ".pnm",
    ".tif", ".tiff", ".gif", ".jp2", ".j2k", ".avif", ".npy",
)  # fmt: skip
"""Ends of the names of image files; of one with several frames the first is read. ``.npy`` holds
an array of NumPy: (height, width) or (height, width, channels), of 8 or 16 bits."""
_MOST_TIMES = 100
"""Area of a scaled array over that of its middle, at most."""
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's mode by number of channels."""


class _RefusedError(ValueError):
    """An image that is not read here; the message says why."""


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
        channels: 1 for grey, 3 for RGB, 4 with opacity, 2 for grey with opacity; other numbers for
            arrays alone, which have as many.

    Raises:
        InputError: the file is damaged, or no image that is read here; the message names it.
    """
    image, operations = import_module("PIL.Image"), import_module("PIL.ImageOps")
    try:
        if path.suffix.lower() == ".npy":
            return _array(path, size, channels)
        if channels not in _MODES:
            raise _RefusedError(f"images of {channels} channels must be arrays, in files .npy")
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
            f"cannot decode {path}: {_reason(error, image)}; repair or remove it, or leave such "
            "files out with --skip-damaged"
        ) from error
    flat = torch.frombuffer(bytearray(fitted.tobytes()), dtype=torch.uint8)
    return flat.reshape(height, width, channels).permute(2, 0, 1).contiguous()


def _array(path: Path, size: tuple[int, int], channels: int) -> Tensor:
    """Return the pixels of an array in a file, brought to ``size`` as :func:`decode` does."""
    array = np.load(path, allow_pickle=False)
    if array.dtype not in (np.uint8, np.uint16):
        raise _RefusedError(f"its numbers are {array.dtype}; expected uint8 or uint16")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] != channels or 0 in array.shape:
        raise _RefusedError(
            f"its shape is {array.shape}; expected (height, width, {channels}), the channels last"
        )
    if array.dtype == np.uint16:
        array = _eight_bits(array)
    pixels = torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)
    return _fitted(pixels, size)


def _fitted(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (channels, height, width) that covers ``size``, its middle cut out."""
    height, width = pixels.shape[-2:]
    if (height, width) == size:
        return pixels.contiguous()
    scale = max(size[0] / height, size[1] / width)
    rows, columns = max(size[0], round(height * scale)), max(size[1], round(width * scale))
    if rows * columns > _MOST_TIMES * size[0] * size[1]:
        # A line of a few kilobytes would become gigabytes.
        raise _RefusedError(
            f"it has {height} x {width} pixels: scaled to cover {size[0]} x {size[1]}, it would be "
            f"more than {_MOST_TIMES} times as large; crop it"
        )
    scaled = functional.interpolate(
        pixels[None].float(), (rows, columns), mode="bicubic", antialias=True, align_corners=False
    )[0]
    top, left = (rows - size[0]) // 2, (columns - size[1]) // 2
    middle = scaled[:, top : top + size[0], left : left + size[1]]
    return middle.round().clamp(0, 255).to(torch.uint8).contiguous()


def _eight_bits(levels: np.ndarray) -> np.ndarray:
    return ((levels.astype(np.int64) * 255 + 32767) // 65535).astype(np.uint8)


def _levels(opened: Any, kind: str | None, image: Any) -> Any:
    """Return an image of 8 bits a channel."""
    mode = opened.mode
    # Pillow holds the 16 bits of a PNG or PGM file in 32.
    if mode.startswith("I;16") or (mode == "I" and kind in ("PNG", "PPM")):
        return image.fromarray(_eight_bits(np.asarray(opened)))
    if mode in ("I", "F"):
        raise _RefusedError(
            f"its pixels are {'32-bit integers' if mode == 'I' else 'floating-point numbers'}, "
            "whose white is not known; save it with 8 or 16 bits"
        )
    return opened


def _reason(error: Exception, image: Any) -> str:
    """Return why a file was not decoded, in place of the decoder's own words."""
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, image.DecompressionBombError):
        return f"its header says more than {2 * image.MAX_IMAGE_PIXELS:,} pixels"
    if isinstance(error, import_module("PIL").UnidentifiedImageError):
        return "it is no image, or its header is damaged"
    if isinstance(error, OSError) and error.errno:
        return f"it cannot be read ({error.strerror})"
    return "it is damaged or cut short"

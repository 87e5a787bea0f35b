"""A folder of images, one sub-folder a class; decoding takes Pillow."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch

from partition.data.dataset import Samples
from partition.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm")


def load_folder(folder: Path | None, side: int, channels: int) -> tuple[Samples, tuple[str, ...]]:
    """Return samples and class names; images are resized and cropped to ``side`` by ``side``.

    Classes are the sub-folders in the order of their names, files in the order of theirs. The
    shorter side is resized to ``side`` and the middle is cut out.

    Raises:
        InputError: the folder or its classes are missing or empty, an image cannot be decoded, or
            Pillow is not installed.
    """
    try:
        pillow, operations = import_module("PIL.Image"), import_module("PIL.ImageOps")
    except ImportError as error:
        raise InputError(
            "an image folder needs Pillow to decode images: pip install pillow"
        ) from error
    if folder is None or not folder.is_dir():
        raise InputError(f"no image folder at {folder}: name one with a sub-folder for every class")
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    if not classes:
        raise InputError(f"{folder} has no sub-folders; put the images of every class in one")
    mode = "L" if channels == 1 else "RGB"
    pixels, labels = [], []
    for label, place in enumerate(classes):
        files = sorted(file for file in place.iterdir() if file.suffix.lower() in SUFFIXES)
        if not files:
            raise InputError(f"class folder {place} has no images ({', '.join(SUFFIXES)})")
        for file in files:
            try:
                with pillow.open(file) as image:
                    small = operations.fit(
                        image.convert(mode), (side, side), pillow.Resampling.BICUBIC
                    )
            except OSError as error:
                raise InputError(f"cannot decode {file}: {error}") from error
            flat = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
            pixels.append(flat.reshape(side, side, channels).permute(2, 0, 1))
            labels.append(label)
    samples = Samples(torch.stack(pixels).contiguous(), torch.tensor(labels))
    return samples, tuple(place.name for place in classes)

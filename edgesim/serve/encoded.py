"""Encoded images in messages: written by the coordinator, decoded by a node within limits.

An input of the type BYTES holds one JPEG for each sample. As raw bytes, each is preceded by its
length in four bytes, little-endian (Open Inference Protocol v2, "Tensor Data").
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgesim.common import extras
from edgesim.common.text import size
from edgesim.placement.payload import CHANNELS
from edgesim.serve.options import MAX_MESSAGE_BYTES
from edgesim.serve.refusal import invalid

DATATYPE = "BYTES"
"""The protocol's name of elements that are strings of bytes."""
QUALITIES = range(1, 96)
"""Qualities of JPEG that Pillow's manual recommends."""
_LENGTH = struct.Struct("<I")
_BESIDE_BYTES = 64 << 10
"""Bytes of an encoded image beside its pixels: tables and metadata."""
_MOST_FOR_QUALITY = 32
"""Images whose mean size decides on the quality."""


def pack(images: Sequence[bytes]) -> bytes:
    """Return encoded images as the raw bytes of an input."""
    return b"".join(_LENGTH.pack(len(one)) + one for one in images)


def packed_bytes(samples: int, image_bytes: float) -> int:
    """Return the raw bytes of an input of encoded images of a mean size, in bytes."""
    return round(samples * (_LENGTH.size + image_bytes))


def unpack(name: str, samples: int, data: bytes) -> tuple[bytes, ...]:
    """Return the encoded images in the raw bytes of an input.

    Raises:
        RefusalError: they are others than ``samples``, or their lengths contradict the bytes.
    """
    found: list[bytes] = []
    at = 0
    while len(found) < samples and at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        found.append(data[at : at + length])
        at += length
    if len(found) < samples or at != len(data):
        raise invalid(
            f"input '{name}' announces {samples} encoded images, and its {len(data)} raw bytes are "
            "not that many, each after its length in four bytes"
        )
    return tuple(found)


class Decoder(Protocol):
    """Makes the input of a model of encoded images."""

    @property
    def sample_bytes(self) -> int:
        """Bytes of one decoded image."""

    def check(self, name: str, images: Sequence[bytes]) -> None:
        """Check sizes before anything is decoded; ``name`` is the input's.

        Raises:
            RefusalError: an image is too large, or all of them would be, once decoded.
        """

    def decode(self, name: str, images: Sequence[bytes]) -> NDArray[np.float32]:
        """Return the input called ``name``, (images, channels, height, width).

        Raises:
            RefusalError: an image is damaged, or not one that the model takes.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDecoder:
    """Makes inputs of a model of JPEGs.

    A JPEG must have the size that the model takes: it is not scaled, and no orientation is read.
    Progressive ones are refused, whose decoding may take any time for few bytes.

    Attributes:
        shape: (channels, height, width) of an input.
        mean: mean of each channel, of pixels scaled to 0…1, which is taken off.
        std: standard deviation of each channel, by which it is divided.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def sample_bytes(self) -> int:
        """Bytes of one decoded image, in FP32."""
        return 4 * int(np.prod(self.shape))

    @property
    def largest_bytes(self) -> int:
        """Bytes of one encoded image, at most: twice its pixels, and what stands beside them."""
        return 2 * int(np.prod(self.shape)) + _BESIDE_BYTES

    def check(self, name: str, images: Sequence[bytes]) -> None:
        """Check sizes before anything is decoded.

        Raises:
            RefusalError: an image is too large, or all of them would be, once decoded.
        """
        for number, one in enumerate(images, start=1):
            if len(one) > self.largest_bytes:
                raise invalid(
                    f"input '{name}', image {number}: {size(len(one))} encoded, at most "
                    f"{size(self.largest_bytes)} are taken; encode it with less quality"
                )
        decoded_bytes = len(images) * self.sample_bytes
        if decoded_bytes > MAX_MESSAGE_BYTES:
            raise invalid(
                f"input '{name}': {len(images)} images are {size(decoded_bytes)} once decoded, at "
                f"most {size(MAX_MESSAGE_BYTES)} are taken; send several requests"
            )

    def decode(self, name: str, images: Sequence[bytes]) -> NDArray[np.float32]:
        """Return inputs (images, channels, height, width), normalised.

        Raises:
            RefusalError: an image is damaged, no JPEG, or of another size.
        """
        found = np.empty((len(images), *self.shape), dtype=np.float32)
        for number, one in enumerate(images):
            try:
                found[number] = self._pixels(one)
            except ValueError as error:
                raise invalid(f"input '{name}', image {number + 1}: {error}") from None
        return normalised(found, self.mean, self.std)

    def _pixels(self, data: bytes) -> NDArray[np.uint8]:
        """Return (channels, height, width).

        Raises:
            ValueError: the image is refused; the message says why.
        """
        pillow = extras.load("decoding images", "PIL.Image", "node")
        channels, height, width = self.shape
        try:
            with warnings.catch_warnings():
                # Pillow warns of sizes that are refused below.
                warnings.simplefilter("ignore")
                opened = pillow.open(io.BytesIO(data), formats=("JPEG",))
        except Exception:  # Decoders raise errors of every kind on damaged data.
            raise ValueError("it is no JPEG, or its header is damaged") from None
        if opened.size != (width, height):
            raise ValueError(
                f"it has {opened.size[0]} x {opened.size[1]} pixels, the model takes "
                f"{width} x {height}; scale it before it is encoded"
            )
        if opened.info.get("progressive") or opened.info.get("progression"):
            raise ValueError("it is a progressive JPEG; encode it as a baseline one")
        try:
            pixels = np.asarray(opened.convert(CHANNELS[channels]))
        except Exception:
            raise ValueError("it is damaged or cut short") from None
        return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def normalised(
    levels: NDArray[np.float32], mean: Sequence[float], std: Sequence[float]
) -> NDArray[np.float32]:
    """Return ``(levels / 255 - mean) / std`` of (images, channels, height, width).

    In the same order and precision as `partition.data.to_input`, so that bits agree.
    """
    by_channel = (1, -1, 1, 1)
    levels /= np.float32(255.0)
    levels -= np.asarray(mean, dtype=np.float32).reshape(by_channel)
    levels /= np.asarray(std, dtype=np.float32).reshape(by_channel)
    return levels


def encode(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Return an image (channels, height, width) as a baseline JPEG."""
    pillow = extras.load("traffic.payload", "PIL.Image", "node")
    plane = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    out = io.BytesIO()
    pillow.fromarray(np.ascontiguousarray(plane)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def encode_to(pixels: NDArray[np.uint8], wanted_bytes: float) -> tuple[list[bytes], int]:
    """Return images (images, channels, height, width) as JPEGs, and the quality of all.

    The quality is the one whose mean size, over the first of them, is nearest to ``wanted_bytes``.
    """
    some = pixels[:_MOST_FOR_QUALITY]

    def mean_bytes(quality: int) -> float:
        return float(np.mean([len(encode(one, quality)) for one in some]))

    low, high = QUALITIES[0], QUALITIES[-1]
    while low < high:
        middle = (low + high) // 2
        if mean_bytes(middle) < wanted_bytes:
            low = middle + 1
        else:
            high = middle
    below = max(QUALITIES[0], low - 1)
    quality = min((below, low), key=lambda one: abs(mean_bytes(one) - wanted_bytes))
    return [encode(one, quality) for one in pixels], quality


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoded images of a request, as they wait in the queue of a node.

    Attributes:
        name: name of the input.
        images: one for each sample.
        decoder: makes the input of them.
    """

    name: str
    images: tuple[bytes, ...]
    decoder: Decoder

    @property
    def nbytes(self) -> int:
        """Bytes of the images once decoded: what the queue is bounded by."""
        return len(self.images) * self.decoder.sample_bytes

    def decode(self) -> NDArray[np.float32]:
        """Return the input.

        Raises:
            RefusalError: an image is damaged, no JPEG, or of another size.
        """
        return self.decoder.decode(self.name, self.images)

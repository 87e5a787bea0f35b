"""The images to send: the test images of the measured accuracy, or noise of their shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgesim.serve.coordinator.work import Input, Work
from edgesim.serve.encoded import encode_to, pack
from edgesim.serve.services import INPUT
from edgesim.simulate.streams import stream

_MOST_BYTES = 256 << 20
"""Of images held ready; a longer run sends them again."""
_NOISE = 64
"""Images of noise, where there are no others."""


@dataclass(frozen=True, slots=True)
class Images:
    """Inputs, ready to be sent.

    Attributes:
        pixels: (images, channels, height, width): normalised as the model takes them; of encoded
            images, their levels from 0 to 255.
        labels: (images,) the right class of each; None for noise.
        reason: why noise is sent; None for real images.
        encoded: what is sent in place of the pixels, one for each image; () where these are sent.
        quality: of the encoding.
    """

    pixels: NDArray[Any]
    labels: NDArray[np.int64] | None
    reason: str | None = None
    encoded: tuple[bytes, ...] = ()
    quality: int = 0

    @property
    def encoded_bytes(self) -> float:
        """Mean size of the encoded images."""
        return sum(map(len, self.encoded)) / len(self.encoded)

    def input(self, rows: slice | NDArray[np.intp]) -> Input:
        """Return the input of a request with these images."""
        if not self.encoded:
            pixels = self.pixels[rows]
            return Input(INPUT, pixels.shape, pixels.tobytes())
        chosen = np.arange(len(self.encoded))[rows].tolist()
        return Input.of_images(len(chosen), pack([self.encoded[one] for one in chosen]))

    def rows(self, request: int, samples: int) -> slice | NDArray[np.intp]:
        """Return which images a request carries: the next ones, from the first again at the end.

        A slice, which copies nothing, wherever they lie together.
        """
        first = request * samples % len(self.pixels)
        if first + samples <= len(self.pixels):
            return slice(first, first + samples)
        return (first + np.arange(samples)) % len(self.pixels)


def find_images(work: Work, *, samples: int, seed: int, replication: int) -> Images:
    """Return what to send in a run of ``samples`` images, in an order drawn from the seed.

    Real ones come from the data set that the artifact was tested on, where this machine has it; a
    class of theirs is as frequent in a run as in the data set, whatever order that is stored in.
    Where the scenario has a payload, they are encoded, with the quality that comes nearest to it.
    """
    generator = stream(seed, replication, "images")
    found = _real(work, samples, generator)
    if isinstance(found, str):
        noise = generator.standard_normal((min(samples, _NOISE), *work.shape), dtype=np.float32)
        pixels = noise if work.payload is None else _levels(0.5 + 0.2 * noise)
        found = Images(pixels, None, found)
    if work.payload is None:
        return found
    images, quality = encode_to(found.pixels, work.payload.bytes)
    return replace(found, encoded=tuple(images), quality=quality)


def _levels(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return pixels from 0 to 1 in levels of 8 bits."""
    levels: NDArray[np.uint8] = np.clip(np.rint(shares * 255.0), 0, 255).astype(np.uint8)
    return levels


def _real(work: Work, samples: int, generator: np.random.Generator) -> Images | str:
    """Return real images, or why there are none."""
    import torch

    from partition.config import height_and_width
    from partition.data import open_data, to_input
    from partition.errors import PartitionError

    manifest = work.manifest
    if manifest is None:
        return "nothing was trained for these models"
    tested = manifest.data
    try:
        data = open_data(manifest.recipe.data)
    except PartitionError as error:
        return str(error)
    if (data.name, len(data.test)) != (tested.name, tested.images.test):
        return (
            f"{data.name} has {len(data.test):,} test images here, and the artifact was tested on "
            f"{tested.images.test:,} of {tested.name}"
        )
    most = max(1, _MOST_BYTES // (4 * tested.channels * math.prod(height_and_width(tested.image))))
    order = generator.permutation(len(data.test))[: min(samples, most)]
    chosen = data.test.take(torch.from_numpy(order))
    labels = chosen.labels.numpy()
    if work.payload is not None:
        # The node normalises what it decodes.
        plain = (0.0,) * tested.channels, (1.0,) * tested.channels
        shares = to_input(chosen.images[:], tested.image, *plain)
        return Images(_levels(shares.numpy()), labels)
    # Normalised as the artifact was trained, whatever the statistics of the copy here are.
    pixels = to_input(chosen.images[:], tested.image, tested.mean, tested.std)
    return Images(pixels.contiguous().numpy(), labels)

"""The images to send: the test images of the measured accuracy, or noise of their shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgesim.serve.coordinator.work import Work
from edgesim.simulate.streams import stream

if TYPE_CHECKING:
    from partition import TrainedManifest

_MOST_BYTES = 256 << 20
"""Of images held ready; a longer run sends them again."""
_NOISE = 64
"""Images of noise, where there are no others."""


@dataclass(frozen=True, slots=True)
class Images:
    """Inputs, ready to be sent.

    Attributes:
        pixels: (images, channels, height, width), normalised as the model takes them.
        labels: (images,) the right class of each; None for noise.
        reason: why noise is sent; None for real images.
    """

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64] | None
    reason: str | None = None

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
    """
    generator = stream(seed, replication, "images")
    found = _real(work.manifest, samples, generator)
    if isinstance(found, str):
        noise = generator.standard_normal((min(samples, _NOISE), *work.shape), dtype=np.float32)
        return Images(noise, None, found)
    return found


def _real(
    manifest: TrainedManifest | None, samples: int, generator: np.random.Generator
) -> Images | str:
    """Return real images, or why there are none."""
    import torch

    from partition.config import height_and_width
    from partition.data import open_data, to_input
    from partition.errors import PartitionError

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
    # Normalised as the artifact was trained, whatever the statistics of the copy here are.
    pixels = to_input(chosen.images[:], tested.image, tested.mean, tested.std)
    return Images(pixels.contiguous().numpy(), chosen.labels.numpy())

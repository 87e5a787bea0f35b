"""Portions of a layout that are computed together, within a bound of memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from optics.errors import InputError
from optics.ideal.stream import halvings
from optics.physical.exposures import BLOCK_BYTES, Exposures


@dataclass(frozen=True, slots=True)
class Portions:
    """Rounds of each kind that are computed together.

    Attributes:
        pairs: pairs of groups and channels.
        kernels: rounds of kernels.
        images: rounds of images.
        again: whether portions are computed again in the backward pass, instead of stored.
    """

    pairs: int
    kernels: int
    images: int
    again: bool

    @classmethod
    def of(
        cls,
        exposures: Exposures,
        pairs: int,
        kernels: int,
        images: int,
        element_size: int,
        trains: bool,
    ) -> Portions:
        """Return the largest portions that fit the bench's ``max_bytes``.

        Raises:
            InputError: not even one frame does.
        """
        max_bytes = exposures.bench.max_bytes

        def needed(p: int, k: int, b: int) -> int:
            return _bytes(exposures, p, k, b, element_size, trains)

        if needed(1, 1, 1) > max_bytes:
            raise InputError(
                f"max_bytes={max_bytes} holds no frame: one takes {needed(1, 1, 1)} bytes on this "
                "plane; allow at least that, or take a smaller plane"
            )
        again = trains and needed(pairs, kernels, images) > max_bytes
        # Images first: they share a filter. Then kernels, which share the images' spectra.
        b = _most(images, lambda n: needed(1, 1, n) <= max_bytes)
        k = _most(kernels, lambda n: needed(1, n, b) <= max_bytes)
        p = _most(pairs, lambda n: needed(n, k, b) <= max_bytes)
        return cls(p, k, b, again)


def _bytes(
    exposures: Exposures, pairs: int, kernels: int, images: int, element: int, trains: bool
) -> int:
    geometry = exposures.geometry
    plane = geometry.side**2 * 2 * element
    inputs = pairs * images * len(exposures.input_parts)
    filters = pairs * kernels * len(exposures.kernel_parts)
    frames = pairs * kernels * images
    if geometry.system.input.flicker_rad > 0:
        inputs = frames * len(exposures.scheme.passes) * exposures.draws[0]
    if geometry.system.filter.flicker_rad > 0:
        filters += frames * len(exposures.scheme.passes) * exposures.draws[1]
    stored = frames * len(exposures.scheme.passes) if trains else 0
    block = 2 * min(images * plane, max(BLOCK_BYTES, plane))
    optics = exposures.optics
    standing = (optics.pupil_1, optics.chirp_1, optics.pupil_2, optics.chirp_2, optics.defocus)
    lenses = sum(part is not None for part in standing)
    if lenses:
        # Light at the lenses is stored in the forward pass and used in the backward pass.
        block *= 3
    return plane * (3 * inputs + 4 * filters + 3 * stored + 1 + lenses) + block


def _most(count: int, fits: Callable[[int], bool]) -> int:
    return next((size for size in halvings(count) if fits(size)), 1)

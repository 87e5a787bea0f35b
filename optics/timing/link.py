"""The order of exposures, what crosses the link for them, and what the host computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from optics.errors import InputError
from optics.system import FourF
from optics.tiling.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Exposures in three nested loops: one modulator changes slowly, the other fast, then neither.

    A layout goes through groups, channels, kernels and images, images fastest. Sign passes that
    change the filter lie around the images, passes that change the input lie within, and passes
    that change neither (of a reference beam) come last. So a filter stays as long as it is of use,
    and where one frame holds all images, these stay while the filter changes.

    Attributes:
        fast: the modulator of the inner loop.
        slow_patterns: patterns of the outer loop, one after another.
        fast_patterns: patterns of the inner loop, for each of the outer.
        repeats: exposures of the same pair of patterns.
    """

    fast: Literal["input", "filter"]
    slow_patterns: int
    fast_patterns: int
    repeats: int

    @classmethod
    def of(
        cls, layout: Layout, *, filter_passes: int | None = None, input_passes: int = 1
    ) -> Order:
        """Return the order of a layout's exposures.

        Args:
            layout: layout of the layer.
            filter_passes: patterns that the sign scheme shows on the filter for each kernel tile,
                2 for kernels split into + and -; ``None`` is all of ``layout.passes``.
            input_passes: patterns for each image tile, 2 for images split into + and -.

        Raises:
            InputError: the two do not divide the layout's passes.
        """
        filters = layout.passes // input_passes if filter_passes is None else filter_passes
        if filters < 1 or input_passes < 1 or layout.passes % (filters * input_passes):
            raise InputError(
                f"filter_passes x input_passes must divide the layout's {layout.passes} passes, "
                f"the rest being exposures that change neither; got {filters} x {input_passes}"
            )
        groups, channels, images, kernels = layout.rounds
        repeats = layout.passes // (filters * input_passes)
        if images * input_passes > 1:
            return cls(
                fast="input",
                slow_patterns=groups * channels * kernels * filters,
                fast_patterns=images * input_passes,
                repeats=repeats,
            )
        return cls(
            fast="filter",
            slow_patterns=groups * channels,
            fast_patterns=kernels * filters,
            repeats=repeats,
        )

    @property
    def exposures(self) -> int:
        """Of the camera."""
        return self.slow_patterns * self.fast_patterns * self.repeats

    @property
    def input_loads(self) -> int:
        """Patterns written to the input modulator."""
        return self.slow_patterns * (self.fast_patterns if self.fast == "input" else 1)

    @property
    def filter_loads(self) -> int:
        """Patterns written to the filter."""
        return self.slow_patterns * (self.fast_patterns if self.fast == "filter" else 1)


STEPLESS_BITS = 32
"""Bits of a real number where a part has no steps: a float; a complex pixel takes two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Pixels and bytes of a layer, and the operations that light does not do.

    Attributes:
        input_pixels: written to the input modulator, all patterns together.
        filter_pixels: written to the filter.
        camera_pixels: converted and read.
        out_bytes: patterns, from the host to the modulators.
        in_bytes: frames, from the camera to the host.
        host_flop: floating-point operations of the host.
    """

    input_pixels: int
    filter_pixels: int
    camera_pixels: int
    out_bytes: int
    in_bytes: int
    host_flop: int


def traffic(
    system: FourF,
    layout: Layout,
    order: Order,
    *,
    whole_frames: bool = True,
    stored_kernels: bool = False,
) -> Traffic:
    """Return what crosses the link and what the host computes for one layer.

    Filter patterns are whole always, since a spectrum fills its plane; they are computed before
    the network runs, and are counted as bytes and not as operations. The host does, for every
    detected value that is kept, three operations (root, scale, and an addition to another pass, to
    another partial sum or to the bias), and for every value that a pattern of images shows two
    (scale and round).

    Args:
        system: system whose parts give pixels and bits. Pixels are packed; one without steps counts
            32 bits, and 64 on an ideal, complex modulator.
        layout: layout of the layer.
        order: order of the layer's exposures.
        whole_frames: all pixels of the input modulator and the camera cross the link. If not, only
            those of images cross, and only those of tiles of the output, binned by the camera to
            the input's pitch.
        stored_kernels: the filter's patterns are stored beside it, and none crosses the link.
    """
    shape = layout.shape
    channel_rounds = layout.rounds[1]
    image_pixels = shape.batch * shape.in_channels * shape.size[0] * shape.size[1]
    input_bits, filter_bits = (
        part.bits or STEPLESS_BITS * (2 if part.kind == "ideal" else 1)
        for part in (system.input, system.filter)
    )
    # A layout shows every image once for each filter; one that stays while filters change, once.
    per_image = order.input_loads / (layout.rounds[0] * channel_rounds * layout.rounds[2])
    if whole_frames:
        input_pixels = order.input_loads * _area(system.input.pixels)
        camera_pixels = order.exposures * _area(system.camera.pixels)
    else:
        input_pixels = round(image_pixels * per_image)
        tiles = shape.batch * shape.out_channels * channel_rounds * layout.passes
        camera_pixels = tiles * _area(shape.full)
    filter_pixels = order.filter_loads * _area(system.filter.pixels)
    detected = shape.batch * shape.out_channels * _area(shape.out_size)
    detected *= channel_rounds * layout.passes
    return Traffic(
        input_pixels=input_pixels,
        filter_pixels=filter_pixels,
        camera_pixels=camera_pixels,
        out_bytes=_bytes(input_pixels, input_bits)
        + (0 if stored_kernels else _bytes(filter_pixels, filter_bits)),
        in_bytes=_bytes(camera_pixels, system.camera.bits or STEPLESS_BITS),
        host_flop=3 * detected + 2 * round(image_pixels * per_image),
    )


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _bytes(pixels: int, bits: int) -> int:
    return -(-pixels * bits // 8)

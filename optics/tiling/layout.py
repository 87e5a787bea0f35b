"""The places of tiles on the planes of a 4f system, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from optics.checks import pixel_counts
from optics.errors import InputError
from optics.tiling.axis import Axis
from optics.tiling.shape import ConvShape, Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How many of each kind share a frame, as (rows, columns) of tiles.

    Attributes:
        groups: number of groups; groups share no channels.
        channels: summed in the field before detection.
        images: images that share a kernel.
        kernels: kernels that share an image.
    """

    groups: Pair = (1, 1)
    channels: Pair = (1, 1)
    images: Pair = (1, 1)
    kernels: Pair = (1, 1)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Pixels of a plane.

    Attributes:
        index: (group, channel, image) on the input plane, (group, channel, kernel) in the filter,
            (group, image, kernel) on the output plane; channels and kernels count within their
            group.
        top: first row.
        left: first column.
        size: (rows, columns).
    """

    index: tuple[int, int, int]
    top: int
    left: int
    size: Pair


@dataclass(frozen=True, slots=True)
class Frame:
    """What one exposure holds, as ranges of each kind.

    Attributes:
        groups: groups of the layer.
        channels: channels of each group.
        images: images of the batch.
        kernels: output channels of each group.
        number: position among the frames of a layout, sign passes aside.
    """

    groups: range
    channels: range
    images: range
    kernels: range
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A convolution laid out on a plane; it drives the simulation, the timing and the energy.

    Attributes:
        shape: shape of the convolution.
        plane: pixels (rows, columns) that the input, the output and the filter's impulse response
            span.
        split: numbers of each kind that share a frame.
        passes: exposures that the sign scheme takes for each frame.

    Raises:
        InputError: a plane too small for the tiles, where the light of one would wrap into another.
    """

    shape: ConvShape
    plane: Pair
    split: Split = Split()
    passes: int = 1

    def __post_init__(self) -> None:
        pixel_counts("plane", "pixels", self.plane)
        if self.passes < 1 or self.shape.batch < 1:
            raise InputError(
                f"a layout has at least one image and one pass; got "
                f"batch={self.shape.batch}, passes={self.passes}"
            )
        sides = (self.split.groups, self.split.channels, self.split.images, self.split.kernels)
        if min(min(side) for side in sides) < 1:
            raise InputError(f"a frame holds at least one of each kind; got {self.split}")
        for name, axis in zip(("rows", "columns"), self.axes, strict=True):
            needed = axis.tiles * axis.tile
            if needed > axis.pixels:
                raise InputError(
                    f"{axis.tiles} tiles of {axis.image} + {axis.extent} - 1 = {axis.tile} pixels "
                    f"take {needed} {name}, but the plane has {axis.pixels}; the rest would wrap "
                    "around: take a larger plane, or smaller images or kernels"
                )

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Tiles along rows and along columns."""
        split = self.split
        rows, columns = (
            Axis(
                pixels=self.plane[n],
                image=self.shape.size[n],
                extent=self.shape.extent[n],
                groups=split.groups[n],
                channels=split.channels[n],
                images=split.images[n],
                kernels=split.kernels[n],
            )
            for n in (0, 1)
        )
        return rows, columns

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Groups, channels, images and kernels that a full frame holds."""
        split = self.split
        groups, channels, images, kernels = (
            min(side[0] * side[1], most)
            for side, most in (
                (split.groups, self.shape.groups),
                (split.channels, self.shape.in_group),
                (split.images, self.shape.batch),
                (split.kernels, self.shape.out_group),
            )
        )
        return groups, channels, images, kernels

    @property
    def rounds(self) -> tuple[int, int, int, int]:
        """Rounds over groups, channels, images and kernels until all had their frame."""
        shape = self.shape
        wanted = (shape.groups, shape.in_group, shape.batch, shape.out_group)
        groups, channels, images, kernels = (
            -(-most // count) for most, count in zip(wanted, self.counts, strict=True)
        )
        return groups, channels, images, kernels

    @property
    def frames(self) -> int:
        """Exposures of the camera for the whole batch, sign passes included."""
        groups, channels, images, kernels = self.rounds
        return groups * channels * images * kernels * self.passes

    @property
    def partial_sums(self) -> int:
        """Detected maps that the electronics add for each output map; 1 where light adds all."""
        return self.rounds[1]

    @property
    def pairs_per_frame(self) -> float:
        """Two-dimensional convolutions of an average exposure."""
        return self.shape.batch * self.shape.pairs / self.frames

    @property
    def use(self) -> float:
        """Share of the input plane's pixels that hold images, averaged over frames."""
        shape = self.shape
        shown = shape.batch * shape.in_channels * self.rounds[3] * shape.size[0] * shape.size[1]
        return shown * self.passes / (self.frames * self.plane[0] * self.plane[1])

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, images fastest, so that a filter stays as long as it is of use."""
        shape = self.shape
        wanted = (shape.groups, shape.in_group, shape.out_group, shape.batch)
        groups, channels, images, kernels = self.counts
        chunks = [
            [range(start, min(start + count, most)) for start in range(0, most, count)]
            for most, count in zip(wanted, (groups, channels, kernels, images), strict=True)
        ]
        for number, (g, c, k, b) in enumerate(product(*chunks)):
            yield Frame(g, c, b, k, number)

    def image_rectangles(self, frame: Frame) -> list[Rectangle]:
        """Return where images lie on the input plane, by (group, channel, image)."""
        rows, columns = self.axes
        starts = rows.image_start, columns.image_start
        return self._rectangles(frame, ("groups", "channels", "images"), starts, self.shape.size)

    def kernel_rectangles(self, frame: Frame) -> list[Rectangle]:
        """Return where kernels lie in the filter's impulse response, by (group, channel, kernel).

        On a plane whose pixel ``side // 2`` is no shift at all. The kernel lies there reversed in
        rows and columns, since light convolves and frameworks correlate.
        """
        rows, columns = self.axes
        starts = rows.kernel_start, columns.kernel_start
        middle = self.plane[0] // 2, self.plane[1] // 2
        kinds = "groups", "channels", "kernels"
        return self._rectangles(frame, kinds, starts, self.shape.extent, middle)

    def output_rectangles(self, frame: Frame) -> list[Rectangle]:
        """Return where whole linear convolutions lie on the output, by (group, image, kernel)."""
        rows, columns = self.axes
        starts = rows.output_start, columns.output_start
        return self._rectangles(frame, ("groups", "images", "kernels"), starts, self.shape.full)

    def _rectangles(
        self,
        frame: Frame,
        kinds: tuple[str, str, str],
        starts: tuple[Callable[..., int], Callable[..., int]],
        size: Pair,
        origin: Pair = (0, 0),
    ) -> list[Rectangle]:
        """Return a rectangle of ``size`` for each item of three kinds, counted from ``origin``."""
        spans = [getattr(frame, kind) for kind in kinds]
        sides = [getattr(self.split, kind) for kind in kinds]
        found = []
        for item in product(*spans):
            at = [_cell(*one) for one in zip(item, spans, sides, strict=True)]
            top = starts[0](*(cell[0] for cell in at)) + origin[0]
            left = starts[1](*(cell[1] for cell in at)) + origin[1]
            found.append(Rectangle(item, top, left, size))
        return found


def _cell(index: int, span: range, side: Pair) -> Pair:
    """Return (row, column) of an index within its frame."""
    return divmod(index - span.start, side[1])

"""Where tiles lie along one axis of the plane, so that only wanted products land on wanted places.

A 4f system convolves everything on the input plane with everything in the filter: an image at
position p and a kernel that shifts by q meet at p + q. With G groups, I channels, B images and O
kernels along an axis, in tiles of M + N - 1 pixels,

    p(g, i, b) = g + i G² + b G² I,    q(g, i, o) = g G - i G² + o G² I B,

the products of one group and channel meet at c(g, b, o) = g (1 + G) + b G² I + o G² I B whatever
the channel is: the field sums over channels before it is detected. These are mixed-radix numbers:
no other product lands on such a place, nor one plane of S = G² I B O tiles further, so that
neighbours never mix. Images side by side share one kernel (batch tiling), kernels side by side
share one image (kernel tiling), channels pair up (channel tiling; Li et al., arXiv 2011.07391).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Tiles along one axis.

    Attributes:
        pixels: pixels of the plane.
        image: side of an image.
        extent: side of a kernel with its dilation.
        groups: side by side; they take the square of their number in tiles.
        channels: summed in the field.
        images: side by side.
        kernels: side by side.
    """

    pixels: int
    image: int
    extent: int
    groups: int = 1
    channels: int = 1
    images: int = 1
    kernels: int = 1

    @property
    def tile(self) -> int:
        """Side of a tile, M + N - 1: an image with its guard band."""
        return self.image + self.extent - 1

    @property
    def tiles(self) -> int:
        """Tiles taken, S."""
        return self.groups**2 * self.channels * self.images * self.kernels

    def image_start(self, group: int, channel: int, image: int) -> int:
        """Return the first pixel of an image on the input plane."""
        square = self.groups**2
        tile = group + channel * square + image * square * self.channels
        return self._first_tile + tile * self.tile + self.extent // 2

    def kernel_start(self, group: int, channel: int, kernel: int) -> int:
        """Return by how many pixels the kernel's first element shifts; negative is towards 0."""
        square = self.groups**2
        tile = group * self.groups - channel * square
        tile += kernel * square * self.channels * self.images
        return tile * self.tile - self._kernel_middle - self.extent // 2

    def output_start(self, group: int, image: int, kernel: int) -> int:
        """Return the first pixel of the whole linear convolution, a tile, on the output plane."""
        return self.image_start(group, 0, image) + self.kernel_start(group, 0, kernel)

    @property
    def _kernel_middle(self) -> int:
        # Kernels lie evenly about the axis, where the filter's pixels resolve their shift.
        square = self.groups**2
        lowest = -(self.channels - 1) * square
        highest = (self.groups - 1) * self.groups
        highest += (self.kernels - 1) * square * self.channels * self.images
        return -(-(lowest + highest) * self.tile // 2)

    @property
    def _first_tile(self) -> int:
        # Images stand where they and their outputs are both inside the plane, as central as can be.
        square = self.groups**2
        last_image = self.groups - 1 + (self.channels * self.images - 1) * square
        last_output = self.groups**2 - 1 + (self.images - 1) * square * self.channels
        last_output += (self.kernels - 1) * square * self.channels * self.images
        middle, last = self._kernel_middle, self.pixels - self.tile
        low = max(0, middle)
        high = min(last - last_image * self.tile, last - last_output * self.tile + middle)
        return (low + high) // 2

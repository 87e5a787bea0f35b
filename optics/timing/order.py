"""In which order exposures come, and how often each modulator changes its pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from optics.errors import InputError
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
        fast_patterns: of the inner loop, for each of the outer.
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
            layout: of the layer.
            filter_passes: patterns that the sign scheme shows on the filter for each kernel tile,
                2 for kernels split into + and -; all of ``layout.passes`` unless told.
            input_passes: patterns for each image tile, 2 for images split into + and -.

        Raises:
            InputError: the two do not divide the layout's passes.
        """
        filters = layout.passes // input_passes if filter_passes is None else filter_passes
        if filters < 1 or input_passes < 1 or layout.passes % (filters * input_passes):
            raise InputError(
                f"filter_passes x input_passes must divide the layout's {layout.passes} passes, "
                f"the rest being exposures that change neither; {filters} x {input_passes} came"
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
        fast = self.fast == "input"
        return self.slow_patterns * (self.fast_patterns if fast else 1)

    @property
    def filter_loads(self) -> int:
        """Patterns written to the filter."""
        fast = self.fast == "filter"
        return self.slow_patterns * (self.fast_patterns if fast else 1)

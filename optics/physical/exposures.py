"""The exposures of frames: from tiles of images and kernels to outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from optics.detection import FieldItself, Scheme, detect, part
from optics.detection.passes import check_reference
from optics.grid import squared_modulus
from optics.ideal.stream import every
from optics.physical.bench import Bench
from optics.physical.filter import complex_type, displayed, filter_light, squares_light
from optics.physical.geometry import Geometry
from optics.physical.light import Optics
from optics.physical.pairs import are_paired, field_of, pair_of
from optics.physical.pattern import Pattern
from optics.physical.pixels import PixelAxis
from optics.physical.tables import Tables

BLOCK_BYTES = 2**21
"""Planes that meet a filter together: more than 2 MiB leave a processor's cache."""


@dataclass(frozen=True, kw_only=True)
class Exposures:
    """A bench with the grids of a layout: everything common to all exposures.

    Attributes:
        bench: the system and its settings.
        input_peak: value of images that drives the input modulator fully.
        geometry: grids.
        optics: masks and phases that light meets.
        tables: places of the tiles.
        axes: axes of the camera by carrier, computed when they are first used.
    """

    bench: Bench
    input_peak: float
    geometry: Geometry
    optics: Optics
    tables: Tables
    axes: dict[tuple[float, float], tuple[PixelAxis, PixelAxis]] = field(default_factory=dict)

    @property
    def scheme(self) -> Scheme:
        """Sign scheme of the bench."""
        return self.bench.scheme

    @cached_property
    def input_parts(self) -> list[str]:
        """Parts of images that some pass shows."""
        return list(dict.fromkeys(shown.inputs for shown in self.scheme.passes))

    @cached_property
    def kernel_parts(self) -> list[str]:
        """Parts of kernels that some pass shows."""
        return list(dict.fromkeys(shown.kernels for shown in self.scheme.passes))

    def patterns(self, kernels: Tensor) -> Pattern:
        """Return the filters (pairs, parts, rounds) of kernels (pairs, rounds, slots, elements).

        Of :attr:`paired` ones the drive has one part, for both.
        """
        if self.paired:
            return pair_of(kernels, self.tables.kernels, self.geometry, self.bench)
        parts = torch.stack([part(kernels, name) for name in self.kernel_parts], 1)  # type: ignore[arg-type]
        planes = _placed(parts, self.tables.kernels, self.geometry.plane)
        return Pattern.of(planes, self.geometry, self.bench)

    def filters(self, pattern: Pattern, generator: torch.Generator | None) -> Tensor:
        """Return what filters do to light, (..., side, side)."""
        if pattern.responses:
            return squares_light(pattern.drive, self.geometry)
        system, samples = self.geometry.system, self.geometry.sampling.filter
        shown = pattern.shown(system.filter, samples, generator)
        return filter_light(shown, self.geometry, ordered=pattern.ordered)

    def inputs(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return light before the filter, (..., side, side), of tiles (..., slots, pixels)."""
        modulator, samples = self.geometry.system.input, self.geometry.sampling.input
        drive = _placed(images, self.tables.images, self.geometry.plane) / self.input_peak
        return self.optics.spectrum(displayed(drive, modulator, samples, generator))

    def lit(self, images: Tensor) -> list[list[list[Tensor]]]:
        """Return light before the filter by pair, part and block of images (images, side, side).

        Args:
            images: tiles (pairs, rounds of images, slots, pixels).
        """
        width = self.block_width(images)
        return [
            [
                [self.inputs(part(block, name), None) for block in of_pair.split(width)]  # type: ignore[arg-type]
                for name in self.input_parts
            ]
            for of_pair in images
        ]

    def block_width(self, images: Tensor) -> int:
        """Return how many planes meet a filter together."""
        return max(1, BLOCK_BYTES // (2 * images.element_size() * self.geometry.side**2))

    def expose(
        self,
        images: Tensor,
        pattern: Pattern,
        filters: Tensor | None,
        generator: torch.Generator | None,
        lit: list[list[list[Tensor]]] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return what every pair of filter and images adds to the outputs, and saturated readings.

        Args:
            images: tiles (pairs, rounds of images, slots, pixels).
            pattern: (pairs, parts, rounds of kernels).
            filters: transmission of the filters, (pairs, parts, rounds of kernels, side, side);
                ``None`` makes them again for each exposure, which flicker needs.
            generator: generator of flicker and of the camera's noise.
            lit: result of :meth:`lit`, where it is known.

        Returns:
            (pairs, rounds of kernels, rounds of images, slots, output pixels), in the units of the
            images times those of the kernels; and a count.
        """
        passes = self.scheme.passes
        system = self.geometry.system
        parts = [self.input_parts.index(shown.inputs) for shown in passes]
        kinds = [self.kernel_parts.index(shown.kernels) for shown in passes]
        rounds = pattern.scale.shape[2], images.shape[1]
        each: Tensor | None = None
        if system.input.flicker_rad > 0:
            shown = torch.stack([part(images, name) for name in self.input_parts], 1)  # type: ignore[arg-type]
            shown = shown[:, parts][:, :, None, :, None]
            repeats = [-1, -1, rounds[0], -1, self.draws[0], -1, -1]
            each = self.inputs(shown.expand(repeats), generator)
            parts = list(range(len(passes)))
        elif lit is None:
            lit = self.lit(images)
        if filters is None:
            repeated = pattern.repeated(kinds, rounds[1] * self.draws[1])
            made = self.filters(repeated, generator)
            filters = made.view(*made.shape[:3], rounds[1], self.draws[1], *made.shape[-2:])
            filter_of = list(range(len(passes)))
        else:
            filters, filter_of = filters[:, :, :, None, None], kinds
            if self.paired:
                filter_of = [0] * len(passes)

        scales = pattern.scale.detach().cpu().tolist()
        blocks = every(rounds[1], self.block_width(images))
        saturated = torch.zeros((), dtype=torch.int64, device=images.device)
        same = list(zip(parts, filter_of, strict=True))
        outputs: list[Tensor] = []
        for pair, of_pair in enumerate(scales):
            for kernel in range(rounds[0]):
                scale = [of_pair[kind][kernel] for kind in kinds]
                for number, which in enumerate(blocks):
                    light = []
                    for at, of in same:
                        one = slice(1) if filters.shape[3] == 1 else which
                        behind = filters[pair, of, kernel, one].unbind(1)
                        if each is not None:
                            before = each[pair, at, kernel, which].unbind(1)
                        else:
                            assert lit is not None
                            before = (lit[pair][at][number],)
                        light.append(_paired(before, behind))
                    values, full = self._block(light, same, scale, pattern.carrier, generator)
                    saturated = saturated + full
                    outputs.append(values)
        together = torch.cat(outputs) if len(outputs) > 1 else outputs[0]
        return together.view(len(scales), *rounds, *together.shape[1:]), saturated

    def _block(
        self,
        light: list[list[tuple[Tensor, Tensor]]],
        same: list[tuple[int, int]],
        scale: list[complex],
        carrier: tuple[float, float],
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the outputs (images, slots, pixels) of one filter and some images.

        Args:
            light: light of every pass before the filter, (images, side, side), and the filter's
                transmission, for each flicker of an exposure.
            same: passes of equal marks have equal light.
            scale: scale of every pass.
            carrier: carrier on which the filter sends light.
            generator: generator of the camera's noise.
        """
        rows, columns = self.camera_axes(carrier)
        unit = math.sqrt(sum(abs(one) ** 2 for one in set(scale)) / len(set(scale)))
        readings: list[Tensor] = []
        saturated = torch.zeros((), dtype=torch.int64, device=light[0][0][0].device)
        seen: list[Tensor] = []
        phase = self.grid_phase(rows, columns, light[0][0][0]) if self.paired else None
        for number, one in enumerate(self.scheme.passes):
            if number == 0 or same[number] != same[number - 1]:
                seen = [
                    self.optics.image(before * behind, rows.samples, columns.samples)
                    for before, behind in light[number]
                ]
            # Each filter transmits its own share of light, which the electronics compensates.
            share = (unit / abs(scale[number])) ** 2
            turn = scale[number] / abs(scale[number])
            shown = [field_of(field, phase, one.kernels) for field in seen] if self.paired else seen
            reading, full = self.read(shown, rows, columns, turn, share, one.reference, generator)
            readings.append(reading)
            saturated = saturated + full
        fields = self.scheme.combine(
            torch.stack(readings) if len(readings) > 1 else readings[0][None]
        )
        gain = self.input_peak / math.sqrt(self.electrons)
        gain /= self.geometry.system.input.fill_factor * unit
        outputs = self.tables.outputs.to(fields.device)
        values = fields.flatten(-2).index_select(-1, outputs.flatten()) * gain
        values = values.view(-1, *outputs.shape)
        if not self.all_inside:
            values = values * self.tables.inside.to(values.device)
        return values, saturated

    def read(
        self,
        seen: Sequence[Tensor],
        rows: PixelAxis,
        columns: PixelAxis,
        turn: complex,
        share: float,
        reference: complex,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """Return readings of the camera in electrons, and how many are saturated.

        Args:
            seen: fields (..., rows, columns) of samples that the exposure sees in turn, each for
                an equal part of it.
            rows: rows of the camera.
            columns: columns of the camera.
            turn: phase that the filter gives to all light.
            share: factor of the readings.
            reference: amplitude of a reference beam, in √electrons.
            generator: generator of the camera's noise.
        """
        camera = self.geometry.system.camera
        fields = list(seen)
        none = torch.zeros((), dtype=torch.int64, device=fields[0].device)
        root = math.sqrt(self.electrons)
        alone = isinstance(self.scheme, FieldItself)
        if reference or alone:
            # The reference has the phase of the light that a kernel of 1 would send.
            phase = self.optics.phase(rows.samples, columns.samples)
            phase = phase.to(fields[0].device, fields[0].dtype) * turn.conjugate()
            fields = [field * phase for field in fields]
        if alone:
            area = float(rows.cover[0].sum() * columns.cover[0].sum())
            factor = root / area * math.sqrt(share)
            mean = columns.gathered(rows.gathered(_mean(fields), -2), -1) * factor
            return columns.read(rows.read(mean, -2), -1), none
        if reference:
            for field in fields:
                check_reference(self.scheme, field, self.electrons)
            fields = [field + reference / root for field in fields]
        intensity = _mean([_intensity(field) for field in fields])
        gathered = columns.gathered(rows.gathered(intensity, -2), -1)
        per_sample = self.photons / self.geometry.sampling.input**2
        if self.plain_camera:
            electrons = gathered * (per_sample * camera.quantum_efficiency * share)
            return columns.read(rows.read(electrons, -2), -1), none
        photons = gathered * per_sample
        if camera.saturation_e < math.inf:
            charge = photons.detach() * camera.quantum_efficiency + camera.dark_e
            none = (charge > camera.saturation_e).sum()
        electrons = detect(photons, camera, generator=generator, noise=self.bench.noise)
        electrons = electrons if share == 1 else electrons * share
        return columns.read(rows.read(electrons, -2), -1), none

    @property
    def plain_camera(self) -> bool:
        """Whether the camera draws nothing and has neither a limit nor steps."""
        camera = self.geometry.system.camera
        return not self.bench.noise and math.isinf(camera.full_well_e) and camera.bits is None

    def camera_axes(self, carrier: tuple[float, float]) -> tuple[PixelAxis, PixelAxis]:
        """Return the camera's axes, moved to where the carrier sends the light."""
        if carrier not in self.axes:
            rows, columns = (
                PixelAxis.of(self.geometry, axis, outputs, -nu * self.geometry.cells)
                for axis, (outputs, nu) in enumerate(
                    zip((self.tables.rows, self.tables.columns), carrier, strict=True)
                )
            )
            self.axes[carrier] = rows, columns
        return self.axes[carrier]

    @cached_property
    def paired(self) -> bool:
        """Whether positive and negative kernels share a transform."""
        return are_paired(self.bench, self.geometry)

    def grid_phase(self, rows: PixelAxis, columns: PixelAxis, like: Tensor) -> Tensor | None:
        """Return the phase of the filter's half sample off the grid, ``None`` where it has none."""
        if self.geometry.filter_offset == 0:
            return None
        return self.optics.phase(rows.samples, columns.samples).to(
            like.device, complex_type(like.dtype)
        )

    @cached_property
    def draws(self) -> tuple[int, int]:
        """Flickers of the input and of the filter that an exposure adds up."""
        system = self.geometry.system
        exposure_s = system.camera.exposure_s
        return system.input.draws(exposure_s), system.filter.draws(exposure_s)

    @cached_property
    def all_inside(self) -> bool:
        """Whether light makes every output."""
        return bool(self.tables.inside.all())

    @cached_property
    def photons(self) -> float:
        """Photons of one exposure in the image of a pixel that is on, behind a clear filter."""
        system = self.geometry.system
        rows, columns = system.input.pixels
        per_pixel = system.laser.photons_per_s * system.camera.exposure_s / (rows * columns)
        return per_pixel * system.efficiency

    @cached_property
    def electrons(self) -> float:
        """Electrons of that in one camera pixel."""
        area = self.geometry.camera_pixels**2
        return self.photons * self.geometry.system.camera.quantum_efficiency / area


def _placed(tiles: Tensor, index: Tensor, plane: tuple[int, int]) -> Tensor:
    """Return planes (..., rows, columns) with tiles (..., slots, pixels) in their places."""
    flat = tiles.flatten(-2)
    planes = flat.new_zeros(*flat.shape[:-1], plane[0] * plane[1])
    at = index.to(flat.device).flatten()
    return planes.index_copy(-1, at, flat).view(*flat.shape[:-1], *plane)


def _paired(before: Sequence[Tensor], behind: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Return light and filters of an exposure in turn; the fewer of both stay for longer."""
    count = max(len(before), len(behind))
    return [
        (before[number * len(before) // count], behind[number * len(behind) // count])
        for number in range(count)
    ]


def _intensity(field: Tensor) -> Tensor:
    return squared_modulus(field) if field.is_complex() else field.square()


def _mean(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(list(parts)).mean(0)


def seed_from(generator: torch.Generator | None) -> int | None:
    """Return a seed drawn from ``generator``, for a generator of its own."""
    if generator is None:
        return None
    most = torch.iinfo(torch.int64).max
    device = generator.device
    return int(torch.randint(most, (), generator=generator, device=device))

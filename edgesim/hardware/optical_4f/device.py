"""A 4f correlator with the electronics around it, as a device that runs operator graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edgesim.common.errors import InputError
from edgesim.common.fields import Count
from edgesim.common.quantities import Bandwidth, Metres, Rate, Share
from edgesim.common.text import digits
from edgesim.common.validation import key, spec
from edgesim.graph import Graph, MatmulGeometry, Op, OpKind
from edgesim.hardware.device import Cost, Device, Messaging, Power, remembered
from edgesim.hardware.explanation import Explanation, unknown
from edgesim.hardware.host import Host
from edgesim.hardware.optical_4f.layers import (
    Layer,
    explain_layer,
    explain_model,
    layout_figures,
    part_figures,
    watts_text,
)
from edgesim.hardware.optical_4f.parts import (
    cycle_s,
    light_of,
    own_host,
    part_of,
    sources_of,
    system_called,
    system_of,
    with_host,
)
from edgesim.hardware.optical_4f.sections import (
    LIGHT_KINDS,
    Given,
    LightKind,
    OfCamera,
    OfFilter,
    OfLaser,
    OfLens,
    OfModulator,
    Plane,
    Preset,
    Signs,
)
from edgesim.hardware.optical_4f.shapes import OnHost, OnLight, Reading, segments, shape_of
from edgesim.hardware.processor import Processor
from optics.errors import InputError as OpticsInputError
from optics.presets import PARTS
from optics.signs import Pass, pattern_counts
from optics.system import FourF
from optics.tiling import ConvShape, Kind, Layout, Pair, plan, side_by_side, usable_plane
from optics.timing import LightBudget, Scaling, Timing, energy, time_layer

_LEAST_BITS = 1.0
"""Effective bits below which not even a sign is sure."""
_READINGS: Mapping[str, tuple[Reading, ...]] = {
    "valid": ("valid",),
    "pointwise": ("pointwise",),
    "fewest": ("valid", "pointwise"),
}


@spec
@dataclass(frozen=True, kw_only=True, eq=False)
class Optical4F(Device):
    """A 4f accelerator: the analytic twin of the system that `optics` simulates.

    Convolutions and linear layers run on light, in the frames that the tile planner finds on the
    system's plane; all other operators run on the host between them, since each layer needs the
    results of the one before. A linear layer is a convolution by :func:`shape_of`.

    Time of a layer on light is that of :func:`optics.timing.time_layer`: patterns go out over the
    link while others are shown, frames come in while others are exposed, and the host makes
    numbers of them. An operation of the host on patterns and frames moves four bytes, so that it
    does min(peak, bandwidth x share of ``elementwise`` / 4 B) a second.

    Every part draws its power from the first operator to the last, since nothing sleeps: laser,
    modulators and camera also while the host computes. The host draws its idle power while it
    waits and its busy power while it works. Converters whose energy a part's power does not hold
    are counted by pixel.

    What it leaves out: the patterns of kernels, which are computed before a run starts, though
    they cross the link whenever they are shown, unless a memory holds them; calibration; and what
    noise and few bits do to accuracy, which `optics.layers` simulates.

    What is not given is the preset's; without a preset every part is given.

    Attributes:
        preset: name of a system of `optics.presets`, ``ideal``, or a file of a system, relative to
            the file that names it.
        plane_pixels: pixels of the plane to which modulators, lenses and camera are scaled.
        frame_rate_hz: frame rate to which all times of modulators and camera are scaled, in hertz;
            an exposure that is given stays as it is.
        laser: laser that lights the first modulator.
        input: modulator that shows the images.
        lens_1: lens that makes the images' spectrum.
        filter: modulator that shows the kernels, in the Fourier plane.
        lens_2: lens that makes the image at the camera.
        camera: camera that detects the image.
        link_byte_s: rate between the host and the optics, each way, in bytes per second.
        scaling: assumption about converters, whose energy by conversion is added to modulators and
            camera that have none of their own; without it, powers of the parts hold it.
        node_m: technology node of these converters, 5 to 180 nm; that of the assumption unless
            given.
        light_share: share of a clear filter's light that reaches the brightest pixel; as much as
            the camera takes unless given.
        signs: scheme that recovers signs from intensities.
        planes: binary planes that show an image, each with exposures of its own.
        tiles_along: kinds of tiles that may lie side by side; images alone before a filter of
            mirrors, of amplitudes, or of phases with crosstalk, unless given.
        whole_frames: whether all pixels cross the link, or only those of tiles.
        stored_kernels: whether the filter has a memory of its patterns, so that none crosses the
            link.
        static_filter: whether the filter is made once, as a metasurface is: it takes no time, power
            or frames, and only the first layer whose kernels are one pattern runs on light.
        optical: kinds of operators that run on light.
        linear: way in which a linear layer becomes a convolution; ``fewest`` takes of both the one
            with fewer frames, ``valid`` where these are equal.
        overflow: treatment of layers that light cannot hold.
        host_device: processor that runs what light does not; the preset's unless given.
    """

    kind: Literal["optical-4f"] = "optical-4f"
    preset: Preset | None = None
    plane_pixels: Annotated[Plane | None, key("plane")] = None
    frame_rate_hz: Rate | None = None
    laser: OfLaser = field(default_factory=dict)
    input: OfModulator = field(default_factory=dict)
    lens_1: OfLens = field(default_factory=dict)
    filter: OfFilter = field(default_factory=dict)
    lens_2: OfLens = field(default_factory=dict)
    camera: OfCamera = field(default_factory=dict)
    link_byte_s: Bandwidth | None = None
    scaling: Scaling | None = None
    node_m: Metres | None = None
    light_share: Annotated[Share | None, key("light")] = None
    signs: Signs = Signs(scheme="four-shot")
    planes: Count = 1
    tiles_along: Annotated[
        Annotated[tuple[Kind, ...], Field(min_length=1)] | None, key("along")
    ] = None
    whole_frames: bool = True
    stored_kernels: bool = False
    static_filter: bool = False
    optical: Annotated[tuple[LightKind, ...], Field(min_length=1)] = LIGHT_KINDS
    linear: Literal["valid", "pointwise", "fewest"] = "valid"
    overflow: Literal["error", "host"] = "error"
    host_device: Annotated[Host | None, key("host")] = None

    @field_validator("preset")
    @classmethod
    def _readable(cls, preset: str | None) -> str | None:
        try:
            system_called(preset)
        except OpticsInputError as error:
            raise ValueError("; ".join(str(error).splitlines())) from None
        return preset

    @field_validator(*PARTS)
    @classmethod
    def _whole(cls, given: Given, info: ValidationInfo) -> Given:
        # Here, and not with the system, so that the mistakes of all parts are said at once.
        part = str(info.field_name)
        if "preset" in info.data:
            try:
                part_of(part, given, info.data["preset"])
            except OpticsInputError as error:
                raise ValueError(str(error).removeprefix(f"{part}: ")) from None
        return given

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        # The system, too, which it needs.
        assert self.light
        return self

    @cached_property
    def system(self) -> FourF:
        """The parts; of its host, only the power is used, which is idle power here."""
        return system_of(
            self.name,
            self.preset,
            {key: getattr(self, key) for key in PARTS},
            link_byte_s=self.link_byte_s,
            plane=self.plane_pixels,
            frame_rate_hz=self.frame_rate_hz,
            scaling=self.scaling,
            node_m=self.node_m,
            static_filter=self.static_filter,
        )

    @cached_property
    def host(self) -> Processor:
        """The processor that runs what light does not."""
        return self.host_device or own_host(self.system)

    @cached_property
    def light(self) -> float:
        """Share of a clear filter's light that reaches the brightest pixel."""
        return light_of(self.name, self.system, self.light_share)

    @cached_property
    def budget(self) -> LightBudget:
        """Light and noise of the brightest pixel."""
        return LightBudget.of(self.system, self.light)

    @cached_property
    def effective_bits(self) -> float:
        """Bits of an ideal converter that errs as much as the brightest field does."""
        return self.budget.effective_bits(self.passes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Whether there is so little light, or so much, that it says nothing."""
        budget, camera = self.budget, self.system.camera
        if budget.saturated:
            return (
                f"'{self.name}': the light of a laser of {watts_text(self.system.laser.power_w)} "
                f"is {digits(budget.full_share)} times what {camera.name} takes: readings are "
                "clipped; shorten camera.exposure, lower laser.power or let less pass (light)",
            )
        if self.effective_bits >= _LEAST_BITS:
            return ()
        return (
            f"'{self.name}': {digits(budget.photons)} photons in the brightest pixel of an "
            f"exposure leave {digits(self.effective_bits)} effective bits: its results say next "
            "to nothing; raise laser.power or light, or lengthen camera.exposure",
        )

    @cached_property
    def kinds(self) -> frozenset[OpKind]:
        """Kinds of operators that run on light."""
        return frozenset(OpKind(kind) for kind in self.optical)

    @cached_property
    def passes(self) -> tuple[Pass, ...]:
        """Exposures of the sign scheme for each frame."""
        return self.signs.passes

    @cached_property
    def along(self) -> tuple[Kind, ...]:
        """Kinds of tiles that may lie side by side on the plane."""
        return self.tiles_along or side_by_side(self.system)

    @cached_property
    def sources(self) -> dict[str, str]:
        """Source of each figure of the parts, by key path; given sources come first."""
        return sources_of(self.system, self.host.source, self.source)

    @property
    def memory_capacity_bytes(self) -> float:
        """Memory of the electronic host, bytes."""
        return self.host.memory_capacity_bytes

    @property
    def reserve_bytes(self) -> float:
        """Bytes of them that the host's system and runtime usually take."""
        return self.host.reserve_bytes

    @property
    def messaging(self) -> Messaging:
        """Software cost of a message on the electronic host."""
        return self.host.messaging

    @property
    def decoder(self) -> Processor:
        """The electronic host, which decodes images."""
        return self.host

    @cached_property
    def power(self) -> Power:
        """Power of all parts and the host; only the host draws more when busy."""
        host, rest = self.host.power, sum(self._parts_w.values())

        def beside(watts: float | None) -> float | None:
            return None if watts is None else rest + watts

        return Power(
            idle_w=rest + host.idle_w,
            busy_w=rest + host.busy_w,
            sending_w=beside(host.sending_w),
            receiving_w=beside(host.receiving_w),
        )

    @cached_property
    def idle_by_part_w(self) -> Mapping[str, float]:
        """Constant power of each part, and idle power of the host, in watts."""
        return {**self._parts_w, "host": self.host.power.idle_w}

    @cached_property
    def _parts_w(self) -> Mapping[str, float]:
        """Constant power of each part without the host, in watts."""
        return {
            "laser": self.system.laser.electrical_power_w,
            "input": self.system.input.power_w,
            "filter": self.system.filter.power_w,
            "camera": self.system.camera.power_w,
        }

    @cached_property
    def plane(self) -> Pair:
        """Pixels (rows, columns) that tiles may take."""
        return usable_plane(self.system)

    @property
    def pace(self) -> str:
        """Pixels and new pairs of patterns a second, in a few words."""
        (rows, columns), rate = self.plane, 1.0 / cycle_s(self.system)
        factor, unit = next(
            (one for one in ((1e6, "MHz"), (1e3, "kHz")) if rate >= one[0] * (1 - 1e-9)), (1, "Hz")
        )
        return f"{rows}×{columns} at {rate / factor:.3g} {unit}"

    def precisions(self) -> tuple[str, ...]:
        """Return the precisions that the host computes in; light has its own."""
        return self.host.precisions()

    @remembered
    def graph_cost(self, graph: Graph, precision: str, batch: int = 1) -> Cost:
        """Return the cost of running ``graph`` on ``batch`` samples at once.

        A part of a model may have no layer for light; its host runs it.

        Raises:
            InputError: the host does not compute in ``precision``, ``batch`` is not positive, a
                layer does not fit the plane, or a whole model has no layer that runs on light.
        """
        layers = self.layers(graph, precision, batch)
        return Cost.of_layers(layers, self.power.idle_w, parts=(*self._parts_w, "host"))

    def explain(
        self, graph: Graph, precision: str, batch: int = 1, operator: str | None = None
    ) -> Explanation:
        """Return what every layer takes, or how one runs on light.

        Raises:
            InputError: as :meth:`graph_cost`, or the operator is no layer on light.
        """
        if operator is None:
            cost = self.graph_cost(graph, precision, batch)
            return explain_model(self.layers(graph, precision, batch), cost, precision)
        known = [op.name for op in graph if op.kind.fitted_as in self.kinds]
        if operator not in known:
            raise unknown(graph, operator, known, "layer on light")
        return explain_layer(
            self._lit(graph[operator], precision, batch), self.light, self.budget, self.passes
        )

    def figures(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key path, value, source) of every figure of the parts that is no default."""
        passes = len(self.passes) * self.planes
        yield from layout_figures(self.plane, self.along, passes, self.light, self.sources)
        yield from part_figures(self.system, self.host, self.sources)

    def layers(self, graph: Graph, precision: str, batch: int = 1) -> tuple[Layer, ...]:
        """Return what each layer on light and each run of electronic operators costs, in order.

        Raises:
            InputError: as :meth:`graph_cost`.
        """
        if batch < 1:
            raise InputError(f"device '{self.name}': expected a batch of at least 1, got {batch}")
        on_light: dict[str, Layer] = {}
        # Layers alike take alike; a transformer has few kinds of them.
        same: dict[object, Layer] = {}
        unfit: list[str] = []
        for op in graph:
            if op.kind.fitted_as not in self.kinds:
                continue
            if self.static_filter and on_light:
                unfit.append(op.name)
                continue
            key = op.geometry or op.name
            layer = same.get(key)
            if layer is None:
                try:
                    layer = same[key] = self._lit(op, precision, batch)
                except InputError:
                    if self.overflow == "error" and not self.static_filter:
                        raise
                    unfit.append(op.name)
                    continue
            on_light[op.name] = layer
        if not on_light and not graph.is_slice:
            raise InputError(self._nothing_for_light(graph, unfit))
        found = []
        for part in segments(graph, self.kinds, self.host.fused, frozenset(unfit)):
            if isinstance(part, OnLight):
                layer = on_light[part.op.name]
                names = (part.op.name, *part.folded)
                found.append(layer if layer.names == names else replace(layer, names=names))
            else:
                found.append(self._electronic(part, precision, batch))
        return tuple(found)

    def _nothing_for_light(self, graph: Graph, unfit: list[str]) -> str:
        wanted = " or ".join(sorted(self.kinds))
        text = f"device '{self.name}': model '{graph.name}' has no {wanted} operator that fits it"
        if unfit:
            rows, columns = self.plane
            text += f" ({len(unfit)} do not fit its plane of {rows}x{columns} pixels"
            text += " with all kernels in one static pattern)" if self.static_filter else ")"
        return f"{text}, so that nothing would run on light; place it on a processor"

    def timing(self, op: Op, precision: str, batch: int = 1) -> Timing:
        """Return how the optics run one operator on a batch.

        Raises:
            InputError: it does not fit the plane, or is no convolution; the message names it.
        """
        readings = _READINGS[self.linear if isinstance(op.geometry, MatmulGeometry) else "valid"]
        best: Timing | None = None
        refused: OpticsInputError | None = None
        for reading in readings:
            try:
                timing = self._timed(shape_of(op, batch, reading), precision)
            except OpticsInputError as error:
                refused = refused or error
                continue
            if best is None or timing.exposures < best.exposures:
                best = timing
        if best is None:
            raise InputError(
                f"device '{self.name}': layer '{op.name}' cannot run on light: {refused}; "
                "`overflow: host` runs such layers on the host"
            )
        return best

    def layout(self, shape: ConvShape) -> Layout:
        """Return the plan of a convolution on this device's plane."""
        passes = len(self.passes) * self.planes
        return plan(shape, self.plane, passes=passes, along=self.along)

    def _timed(self, shape: ConvShape, precision: str) -> Timing:
        filter_passes, input_passes = pattern_counts(self.passes)
        layout = self.layout(shape)
        groups, channels, _, kernels = layout.rounds
        patterns = groups * channels * kernels * filter_passes
        if self.static_filter and patterns > 1:
            raise OpticsInputError(
                f"its kernels take {patterns:,} patterns of the filter, and a static one has one: "
                "take a larger plane, kernels side by side, or a reference beam for signs"
            )
        return time_layer(
            self._twin(precision),
            layout,
            filter_passes=filter_passes,
            input_passes=input_passes * self.planes,
            whole_frames=self.whole_frames,
            stored_kernels=self.stored_kernels or self.static_filter,
        )

    def _twin(self, precision: str) -> FourF:
        """Return the system with the host that makes numbers of frames in ``precision``."""
        twin = self._twins.get(precision)
        if twin is None:
            raise InputError(
                f"device '{self.name}' does not compute in {precision}; "
                f"its host has {', '.join(self.host.precisions())}"
            )
        return twin

    @cached_property
    def _twins(self) -> Mapping[str, FourF]:
        return {
            precision: with_host(self.system, self.host, precision)
            for precision in self.host.precisions()
        }

    def energy(self, timing: Timing, precision: str) -> dict[str, float]:
        """Return the joules of each part while the optics run a layer."""
        found = energy(self._twin(precision), timing)
        power = self.host.power
        host_j = found.host_j + (power.busy_w - power.idle_w) * timing.host_s
        parts = {**found.by_part, "host": host_j}
        return {name: joules for name, joules in parts.items() if joules}

    def _lit(self, op: Op, precision: str, batch: int) -> Layer:
        timing = self.timing(op, precision, batch)
        joules = self.energy(timing, precision)
        return Layer(names=(op.name,), light=timing, time_s=timing.total_s, by_part_j=joules)

    def _electronic(self, part: OnHost, precision: str, batch: int) -> Layer:
        cost = self.host.graph_cost(part.graph, precision, batch)
        names = tuple(op.name for op in part.graph)
        by_part_j = self._while_hosted(cost)
        return Layer(names=names, light=None, time_s=cost.time_s, by_part_j=by_part_j)

    def _while_hosted(self, cost: Cost) -> dict[str, float]:
        """Return the joules of all parts while the host works."""
        by_part_j = {name: watts * cost.time_s for name, watts in self._parts_w.items()}
        return {**by_part_j, "host": cost.power_w * cost.time_s}

    def flop_cost(self, flop: float, precision: str, cores: int | None = None) -> Cost:
        """Return the cost of ``flop`` operations of unknown kind, which the host does.

        Raises:
            InputError: the host does not compute in ``precision``, or ``cores`` is not 1.
        """
        self.check(precision, cores=cores)
        cost = self.host.flop_cost(flop, precision)
        power_w = sum(self._parts_w.values()) + cost.power_w
        return Cost(time_s=cost.time_s, power_w=power_w, by_part_j=self._while_hosted(cost))

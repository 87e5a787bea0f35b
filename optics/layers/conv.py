"""``OpticalConv2d``: a layer with the arguments and parameters of ``torch.nn.Conv2d``."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from optics.errors import InputError
from optics.ideal import KernelCache
from optics.layers.functional import (
    Road,
    check_road,
    is_traced,
    optical_conv2d,
    refuse_transforms,
    warn_of,
)
from optics.physical import Bench, Exposed, physical_convolution
from optics.signs import pattern_counts
from optics.tiling.layout import Layout
from optics.tiling.shape import ConvShape
from optics.timing import Energy, Timing, energy, time_layer

_OF_BENCH = frozenset(one.name for one in fields(Bench))


class OpticalConv2d(nn.Conv2d):
    """A convolution on a 4f system; where a model has ``torch.nn.Conv2d``, it may have this.

    Parameters, initialisation and, until it is calibrated, state dict are those of
    ``torch.nn.Conv2d``, so that weights load in both directions.

    Args:
        in_channels: channels of the images.
        out_channels: channels of the result.
        kernel_size: kernel side, one number or (rows, columns).
        stride: distance between outputs.
        padding: zeros around an image: one number, (rows, columns), ``"same"`` or ``"valid"``.
        dilation: distance between kernel elements.
        groups: number of groups; groups share no channels.
        bias: added electronically.
        padding_mode: ``"zeros"`` only.
        device: device of the parameters.
        dtype: ``torch.float32`` or ``torch.float64``.
        bench: the 4f system and its settings.
        road: ``"ideal"`` or ``"physical"``; without a default, and shown by ``repr``.
        seed: seed of all random numbers of the layer. Its own generator continues from call to
            call; :meth:`reseed` starts it again.

    Attributes:
        bench: bench of the next call; may be set.
        road: road of the next call; may be set.
        name: name of the layer in its model, with which its errors begin;
            :func:`optics.layers.convert` sets it.
        calibration: (input peak, exposure in seconds) by :func:`optics.layers.calibrate`, float64,
            or ``None``: the largest value of each batch drives the input fully, and the camera
            exposes as the system says. Part of the state dict once it is set.
        last_road: road of the last call; ``None`` before any.
        last_shape: shape of the last call; ``None`` before any.
        last_saturated: readings of the last call at the camera's limit.

    Raises:
        InputError: a padding other than by zeros, another data type, an unknown road, or a kernel
            larger than the system's plane.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        bench: Bench,
        road: Road,
        seed: int = 0,
    ) -> None:
        check_road(road)
        if padding_mode != "zeros":
            raise InputError(
                "padding_mode is 'zeros': outside of an image it is dark; "
                f"got {padding_mode!r}: pad the images before the layer"
            )
        made_of = torch.get_default_dtype() if dtype is None else dtype
        if made_of not in (torch.float32, torch.float64):
            raise InputError(f"dtype is torch.float32 or torch.float64; got {made_of}")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            "zeros", device, dtype,
        )  # fmt: skip
        self.bench = bench
        self.road: Road = road
        self.seed = seed
        self.name = ""
        self.last_road: Road | None = None
        self.last_shape: ConvShape | None = None
        self.last_saturated = 0
        self.calibration: Tensor | None
        self.register_buffer("calibration", None)
        self._cache = KernelCache()
        self._generator: torch.Generator | None = None
        self.layout(1, self._least_size())  # refuses kernels that are too large

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in torch
        """Return the convolution of images (batch, in_channels, rows, columns).

        Under ``torch.autocast`` it is computed in the precision of the weight. Calls that ask for
        shapes or operators alone get the electronic convolution: see
        :func:`~optics.layers.optical_conv2d`.

        Warns:
            SaturationWarning: readings of the camera were at its limit, so that they show less
                light than there was.

        Raises:
            InputError: images of another shape, type or device, not finite, too large for the
                system's plane, or with signs that the scheme would lose.
            SamplingError: grids of the physical road that cannot hold the system.
        """
        try:
            refuse_transforms(input, self.weight)
            if is_traced(input, self.weight):
                electronic: Tensor = self._conv_forward(input, self.weight, self.bias)
                return electronic
            # Without values there is nothing to cast, and torch has no autocast there.
            device = "cpu" if input.is_meta else input.device.type
            images = input.to(self.weight.dtype) if torch.is_autocast_enabled(device) else input
            with torch.autocast(device, enabled=False):
                result = self._convolved(images)
        except InputError as error:
            if not self.name:
                raise
            raise type(error)(f"{self.name}: {error}") from error
        warn_of(self.last_saturated, self.bench.system)
        return result

    def _convolved(self, given: Tensor) -> Tensor:
        images = given[None] if given.dim() == 3 else given
        shape = ConvShape.of(images.shape, self.weight.shape, **self._geometry())
        self.last_saturated = 0
        if self.road == "physical" and shape.batch > 0:
            done = self.exposed(images, self.tuned_bench, self._drawing(images.device))
            result, self.last_saturated = done.output, done.saturated
        else:
            result = optical_conv2d(
                images,
                self.weight,
                self.bias,
                **self._geometry(),
                bench=self.bench,
                road="ideal",
                cache=self._cache,
            )
        self.last_road, self.last_shape = self.road, shape
        return result[0] if given.dim() == 3 else result

    def exposed(self, images: Tensor, bench: Bench, generator: torch.Generator) -> Exposed:
        """Return the layer's convolution on the physical road, with its exposures.

        Args:
            images: (batch, in_channels, rows, columns), at least one.
            bench: the layer's own or another.
            generator: generator of all random numbers.
        """
        return physical_convolution(
            images,
            self.weight,
            self.bias,
            **self._geometry(),
            bench=bench.fitted(images),
            generator=generator,
        )

    def reseed(self, seed: int | None = None) -> None:
        """Start the generator again from ``seed``, or from the layer's own where none is given."""
        if seed is not None:
            self.seed = seed
        self._generator = None

    @property
    def tuned_bench(self) -> Bench:
        """The bench with the input peak and the exposure that calibration chose."""
        if self.calibration is None:
            return self.bench
        system = self.bench.system
        camera = replace(system.camera, exposure_s=float(self.calibration[1]))
        peak = float(self.calibration[0])
        return replace(self.bench, system=replace(system, camera=camera), input_peak=peak)

    def shape_for(self, batch: int, size: tuple[int, int]) -> ConvShape:
        """Return the shape of the convolution of a batch of images of ``size`` (rows, columns)."""
        images = batch, self.in_channels, *size
        return ConvShape.of(images, self.weight.shape, **self._geometry())

    def layout(self, batch: int, size: tuple[int, int]) -> Layout:
        """Return the places of all tiles on the planes for a batch of images of ``size``."""
        return self.bench.layout(self.shape_for(batch, size))

    def timing(self, batch: int, size: tuple[int, int], *, whole_frames: bool = True) -> Timing:
        """Return how long the system takes for a batch of images of ``size`` (rows, columns).

        It takes this long to do what either road computes.
        """
        filter_passes, input_passes = pattern_counts(self.bench.scheme.passes)
        return time_layer(
            self.tuned_bench.system,
            self.layout(batch, size),
            filter_passes=filter_passes,
            input_passes=input_passes * self.bench.planes,
            whole_frames=whole_frames,
        )

    def energy(self, batch: int, size: tuple[int, int], *, whole_frames: bool = True) -> Energy:
        """Return the joules that the system takes for a batch of images of ``size``."""
        return energy(self.bench.system, self.timing(batch, size, whole_frames=whole_frames))

    def extra_repr(self) -> str:
        """Return the arguments of ``torch.nn.Conv2d``, the system and the road."""
        text: str = super().extra_repr()  # type: ignore[no-untyped-call]
        bench = self.tuned_bench
        text += f", system={bench.system.name!r}, road={self.road!r}, scheme={bench.scheme.name!r}"
        if bench.input_peak is not None:
            text += f", input_peak={bench.input_peak:.4g}"
        if self.calibration is not None:
            text += f", exposure_s={bench.system.camera.exposure_s:.4g}"
        return text

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse an unknown road, and settings that belong to the bench."""
        if name == "road":
            check_road(value)
        if name in _OF_BENCH:
            raise AttributeError(f"set layer.bench = dataclasses.replace(layer.bench, {name}=...)")
        super().__setattr__(name, value)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        found = state_dict.get(f"{prefix}calibration")
        if found is not None and self.calibration is None:
            self.calibration = torch.zeros(2, dtype=torch.float64, device=self.weight.device)
        if found is None and self.calibration is not None:
            # A file of torch.nn.Conv2d has no scales: they stay as they are.
            state_dict = {**state_dict, f"{prefix}calibration": self.calibration}
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _drawing(self, device: torch.device) -> torch.Generator:
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device).manual_seed(self.seed)
        return self._generator

    def _geometry(self) -> dict[str, Any]:
        names = "stride", "padding", "dilation", "groups"
        return {name: getattr(self, name) for name in names}

    def _least_size(self) -> tuple[int, int]:
        """Return the smallest image that the kernel takes."""
        rows, columns = (
            d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True)
        )
        if isinstance(self.padding, str):
            return rows, columns
        return max(1, rows - 2 * self.padding[0]), max(1, columns - 2 * self.padding[1])

"""Conversion of the convolutions of any torch model to optical layers, and back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from optics.errors import InputError
from optics.layers.calibration import observe_ideal
from optics.layers.conv import OpticalConv2d
from optics.layers.functional import Road
from optics.layers.measure import shapes_seen
from optics.layers.quality import LEAST_SNR_DB, expected_snr_db, warn_of_snr
from optics.physical import Bench

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A model whose convolutions run on light, with the list of its layers.

    Attributes:
        model: model with optical layers.
        converted: names of the layers that run on light.
        kept: names of the layers that stay electronic and hold parameters, with the reason.
        snr_db: expected signal-to-noise ratio of each layer's result in dB, by its name; empty
            without images, or on the ideal road.
    """

    model: nn.Module
    converted: tuple[str, ...]
    kept: dict[str, str]
    snr_db: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return a line for every layer."""
        names = [*self.converted, *self.kept]
        width = max((len(name) for name in names), default=0)
        lines = [
            f"{name:<{width}}  on light"
            + (f", {self.snr_db[name]:.1f} dB expected" if name in self.snr_db else "")
            for name in self.converted
        ]
        lines += [f"{name:<{width}}  kept: {reason}" for name, reason in self.kept.items()]
        return "\n".join(lines)


def convert(
    model: nn.Module,
    bench: Bench,
    *,
    road: Road,
    inplace: bool = False,
    select: Callable[[str, nn.Conv2d], bool] | None = None,
    seed: int = 0,
    images: Any = None,
    least_snr_db: float = LEAST_SNR_DB,
) -> Conversion:
    """Swap every eligible convolution of a model for :class:`OpticalConv2d`.

    Eligible is a ``torch.nn.Conv2d`` with its own forward, padded by zeros, of float32 or float64,
    without hooks or parametrizations, whose kernel fits the system's plane, and whose images do as
    far as ``images`` show. Convolutions that a model calls as functions are not seen.

    Args:
        model: any module, a convolution itself included.
        bench: the 4f system of all layers, and its settings.
        road: road of the layers.
        inplace: swap within ``model``; by default a deep copy is made and ``model`` stays
            unchanged. The layers keep the same parameters, so that an optimiser of them goes on.
        select: takes the eligible layers for which ``select(name, layer)`` is true; ``None`` takes
            all.
        seed: seed from which every layer gets its own.
        images: input of the model, of the size of later inputs. The model runs on them once,
            and a layer whose images are too large for the plane stays electronic; without them its
            first call raises the error. On the physical road each layer is run on the first image
            that it gets, to report its signal-to-noise ratio.
        least_snr_db: expected signal-to-noise ratio in dB below which a layer is warned of.

    Returns:
        The model, the names of converted layers, and those of the others with the reasons.

    Warns:
        SignalWarning: a layer's expected signal-to-noise ratio is below ``least_snr_db``.
    """
    if not inplace:
        model = copy.deepcopy(model)
    seen = {} if images is None else shapes_seen(model, images)
    seeds = torch.Generator().manual_seed(seed)
    made: dict[nn.Module, OpticalConv2d] = {}
    converted: list[str] = []
    kept: dict[str, str] = {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        why_not = None if module in made else _why_not(name, module, select)
        if module not in made and why_not is None:
            assert isinstance(module, nn.Conv2d)
            try:
                layer = OpticalConv2d(
                    **_arguments(module), padding_mode=module.padding_mode,
                    bench=bench, road=road, seed=_drawn(seeds),
                )  # fmt: skip
                for shape in seen.get(module, ()):
                    bench.layout(shape)  # refuses images that are too large
                layer.name = name
                _hand_over(module, layer)
                made[module] = layer
            except InputError as error:
                why_not = str(error)
        if module in made:
            converted.append(name)
            model = _put(model, name, made[module])
        elif why_not:
            kept[name] = why_not
    found_db = {} if images is None or road == "ideal" else _measured_db(model, images)
    warn_of_snr(found_db, least_snr_db)
    return Conversion(model=model, converted=tuple(converted), kept=kept, snr_db=found_db)


def _measured_db(model: nn.Module, images: Any) -> dict[str, float]:
    """Return the signal-to-noise ratio of each optical layer, on one image of its first call."""
    first: dict[OpticalConv2d, Tensor] = {}
    layers = {one: one.name for one in model.modules() if isinstance(one, OpticalConv2d)}

    def note(layer: OpticalConv2d, given: Tensor) -> None:
        if layer not in first and given.numel():
            first[layer] = (given if given.dim() == 4 else given[None])[:1]

    observe_ideal(model, images, layers, note)
    return {layers[layer]: expected_snr_db(layer, shown) for layer, shown in first.items()}


def revert(model: nn.Module, *, inplace: bool = False) -> nn.Module:
    """Return a model whose optical layers are ``torch.nn.Conv2d`` again, with their parameters.

    Args:
        model: any module, an optical layer itself included.
        inplace: swap within ``model``; by default a deep copy is made.
    """
    if not inplace:
        model = copy.deepcopy(model)
    made: dict[nn.Module, nn.Conv2d] = {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, OpticalConv2d):
            if module not in made:
                made[module] = _electronic(module)
            model = _put(model, name, made[module])
    return model


def _why_not(
    name: str, module: nn.Module, select: Callable[[str, nn.Conv2d], bool] | None
) -> str | None:
    """Return why a module stays electronic; empty where it has no parameters itself."""
    if isinstance(module, OpticalConv2d):
        return "it runs on light already"
    if not isinstance(module, nn.Conv2d):
        own = any(True for _ in module.parameters(recurse=False))
        return f"a {type(module).__name__} is no Conv2d; it runs on the host" if own else ""
    if any(
        getattr(type(module), method) is not getattr(nn.Conv2d, method) or method in vars(module)
        for method in ("forward", "_conv_forward")
    ):
        return f"{type(module).__name__} has a forward of its own"
    if isinstance(module.weight, nn.parameter.UninitializedParameter):
        return "its size is not known before its first call"
    if hasattr(module, "parametrizations") or any(getattr(module, hook) for hook in _HOOKS):
        return "it has hooks or parametrizations, which another module would lose"
    if select is not None and not select(name, module):
        return "it was not selected"
    return None


def _electronic(layer: OpticalConv2d) -> nn.Conv2d:
    module = nn.Conv2d(**_arguments(layer))
    _hand_over(layer, module)
    return module


def _arguments(module: nn.Conv2d) -> dict[str, Any]:
    """Return what makes a convolution like another one, without its parameters."""
    names = (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
    )  # fmt: skip
    own = {name: getattr(module, name) for name in names}
    bias, dtype = module.bias is not None, module.weight.dtype
    return {**own, "bias": bias, "device": "meta", "dtype": dtype}


def _drawn(generator: torch.Generator) -> int:
    return int(torch.randint(2**62, (), generator=generator))


def _hand_over(old: nn.Conv2d, new: nn.Conv2d) -> None:
    new.weight, new.bias = old.weight, old.bias
    new.train(old.training)


def _put(model: nn.Module, name: str, module: nn.Module) -> nn.Module:
    """Return the model with ``module`` at ``name``; the module itself at the empty name."""
    if not name:
        return module
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)
    return model

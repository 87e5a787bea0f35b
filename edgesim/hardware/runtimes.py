"""Software that runs a model on a processor: its names, and what each changes of the times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, WithJsonSchema

from edgesim.common.errors import InputError, nearest
from edgesim.common.fields import Text
from edgesim.common.quantities import PositiveNumber
from edgesim.common.validation import ReadAs, spec
from edgesim.graph import OpKind
from edgesim.hardware.device import Device, Precision

RuntimeName = Literal[
    "pytorch-eager", "pytorch-amp", "pytorch-compiled", "onnxruntime", "tflite", "executorch",
    "ncnn", "qnnpack", "tensorrt", "fastertransformer", "aitemplate", "openvino", "hailo",
]  # fmt: skip
RUNTIMES: tuple[str, ...] = get_args(RuntimeName)
"""Runtimes that a device, a node and a baseline may name."""

WHOLE, MOVES = "time", "moves"
"""Factors of a whole time, and of operators without products; the others are kinds of product."""
_FACTORS = (WHOLE, MOVES, *(kind.value for kind in OpKind if kind.is_product))


def _known(factors: dict[str, float]) -> dict[str, float]:
    for name in factors:
        if name not in _FACTORS:
            hint = nearest(name, list(_FACTORS))
            raise ValueError(f"expected factors of {', '.join(_FACTORS)}, got '{name}'{hint}")
    return factors


Factors = Annotated[dict[str, PositiveNumber], AfterValidator(_known)]


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What a runtime changes of a processor's times, which are those of its own runtime.

    The time of a kernel is multiplied by ``time`` and by the factor of what it is: its kind of
    product, or ``moves`` for operators without products. A factor that is left out is 1.

    Attributes:
        factors: time over that with the device's own runtime, by precision and by what is computed.
        fused: operator kinds that this runtime fuses into the kernel before them.
    """

    factors: Annotated[
        Mapping[str, Mapping[str, float]],
        ReadAs(
            Annotated[
                dict[Precision, Factors],
                Field(min_length=1),
                WithJsonSchema({"type": "object", "minProperties": 1}),
            ]
        ),
    ] = field(default_factory=dict)
    fused: frozenset[OpKind] = frozenset()

    def factor(self, precision: str, kind: OpKind | None = None) -> float:
        """Return the factor of the whole time at a precision, or of one kind besides."""
        found = self.factors.get(precision, {})
        if kind is None:
            return found.get(WHOLE, 1.0)
        if not kind.is_product:
            return found.get(MOVES, 1.0)
        return found.get(kind, found.get(kind.fitted_as, 1.0))


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeChoice:
    """Runtime of a node or a baseline.

    Attributes:
        name: name of the runtime.
        estimate: whether times may be estimated where none are published for the device.
    """

    name: Text
    estimate: bool = False


def supported(device: Device) -> list[tuple[str, str]]:
    """Return the pairs of runtime and precision that published or profiled times are known of.

    Also those that a device's own figures are of, a profile's or a user's: all that its sources do
    not call an estimate.
    """
    rows = [(one.runtime, str(one.precision)) for one in device.published]
    figures = {(device.runtime, key): f"efficiency.{key}" for key in device.precisions()}
    figures |= {
        (name, key): f"runtimes.{name}.factors.{key}"
        for name, one in device.runtimes.items()
        for key in one.factors
    }
    own = [
        pair
        for pair, figure in figures.items()
        if not device.source.get(figure, "").startswith("estimate")
    ]
    possible = {device.runtime, *device.runtimes} - {""}
    return [pair for pair in dict.fromkeys((*rows, *own)) if pair[0] in possible]


def with_runtime(device: Device, choice: RuntimeChoice | None, precision: str) -> Device:
    """Return a device with the times of a runtime; its own times where none is chosen.

    Raises:
        InputError: no runtime has this name, the device is no processor, or no times are published
            or profiled for this runtime and precision and none may be estimated.
    """
    if choice is None:
        return device
    name = choice.name
    if name not in RUNTIMES:
        raise InputError(
            f"no runtime is named '{name}'{nearest(name, list(RUNTIMES))}; "
            f"expected one of {', '.join(RUNTIMES)}"
        )
    possible = [one for one in (device.runtime, *device.runtimes) if one]
    if not possible:
        raise InputError(
            f"device '{device.name}' of kind {device.kind} has no figures of a runtime; leave "
            "'runtime' out, or give an inline device 'runtime' and 'runtimes'"
        )
    known = supported(device)
    if name not in possible or ((name, precision) not in known and not choice.estimate):
        found = f"there are {listed(known)}" if known else "there are none of any runtime"
        raise InputError(
            f"no times of runtime '{name}' in {precision} are published or profiled for "
            f"'{device.name}'; {found}{_estimates(name, possible)}"
        )
    changes: dict[str, Any] = {"runtime": name}
    return device if name == device.runtime else replace(device, **changes)


def _estimates(name: str, possible: Sequence[str]) -> str:
    if name in possible:
        return f"; {{name: {name}, estimate: true}} takes the factor from related devices"
    return f"; related devices give estimates of {', '.join(possible)}, not of {name}"


def runtime_text(device: Device, precision: str) -> str:
    """Return the runtime of a device's times: ``tensorrt``, or ``tensorrt (estimate)``.

    Empty where it is not known.
    """
    if not device.runtime or (device.runtime, precision) in supported(device):
        return device.runtime
    return f"{device.runtime} (estimate)"


def listed(pairs: Iterable[tuple[str, str]]) -> str:
    """Return runtimes with their precisions as text: ``tflite (fp32, int8), ncnn (fp16)``."""
    found: dict[str, list[str]] = {}
    for runtime, precision in pairs:
        found.setdefault(runtime, []).append(precision)
    return ", ".join(
        f"{runtime} ({', '.join(sorted(dict.fromkeys(own)))})"
        for runtime, own in sorted(found.items())
    )

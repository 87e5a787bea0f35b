"""Sections of a 4f accelerator's YAML: figures of its parts, made from the fields of `optics`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    StrictInt,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    create_model,
    model_validator,
)
from pydantic_core import core_schema

from edgesim.common.fields import Count
from edgesim.common.quantities import (
    Joules,
    Metres,
    Number,
    PositiveNumber,
    PositiveSeconds,
    Rate,
    Seconds,
    Share,
    Watts,
)
from edgesim.common.validation import SECTION, ReadAs, key_of, spec
from edgesim.graph import OpKind
from optics.camera import Camera
from optics.laser import Laser
from optics.lens import Lens
from optics.modulator import Modulator
from optics.presets import PRESETS
from optics.signs import FOUR_SHOT, TWO_SHOT, WHOLE, Pass, reference_passes

SYSTEMS = (*PRESETS, "ideal")
"""Names that ``preset`` takes: those of `optics.presets`, and one without limits."""
LIGHT_KINDS = tuple(sorted(kind.value for kind in OpKind if kind.has_weights and not kind.like))
"""Kinds of operators that light can compute: products with weights, which the filter shows."""
_NOT_OF_THE_TWIN = (
    "name", "source", "phase_range_rad", "table", "design_wavelength_m", "dead_zone_amplitude",
    "crosstalk_px", "crosstalk_kernel", "flicker_rad", "flicker_time_s", "tilt_rad",
    "incidence_rad", "zernike_waves", "gain_e_per_dn", "black_level_dn",
)  # fmt: skip
"""Fields of `optics` that move neither frames nor time nor energy: they are no keys.

Crosstalk is a key of the filter alone, where it decides what may lie side by side."""


def _square(value: object) -> object:
    return [value, value] if isinstance(value, int) and not isinstance(value, bool) else value


Plane = Annotated[
    tuple[Count, Count],
    BeforeValidator(_square),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1},
                    "minItems": 2,
                    "maxItems": 2,
                },
            ],
            "description": "pixels: of a side, or [rows, columns]",
        }
    ),
]


def is_file(preset: object) -> bool:
    """Return whether ``preset`` is the name of a file of a system, not of a known one."""
    return isinstance(preset, str) and preset.endswith((".yaml", ".yml"))


def _or_file(value: Any, known: ValidatorFunctionWrapHandler) -> Any:
    return value if is_file(value) else known(value)


Preset = Annotated[
    str,
    ReadAs(
        Annotated[
            Literal[*SYSTEMS],
            WrapValidator(_or_file),
            WithJsonSchema(
                {
                    "anyOf": [
                        {"type": "string", "enum": list(SYSTEMS)},
                        {"type": "string", "pattern": r"\.ya?ml$"},
                    ],
                    "description": "name of a system, or a file of one: docs/optics.md",
                }
            ),
        ]
    ),
]
LightKind = Annotated[str, ReadAs(Literal[*LIGHT_KINDS])]

_BY_NAME = {
    "pixels": Plane,
    "bits": Annotated[StrictInt, Field(ge=1, le=16)],
    "exposure_s": PositiveSeconds,
    "crosstalk_px": Number,
    "full_well_e": PositiveNumber,
}
_BY_UNIT = {"m": Metres, "s": Seconds, "w": Watts, "j": Joules, "e": Number}


def _rule(part: type, name: str, hint: Any) -> Any:
    if hint is not float:
        return _BY_NAME.get(name, hint)
    if part is Laser and name == "power_w":
        return Annotated[Watts, Field(gt=0.0)]
    unit = name.removeprefix(key_of(name))[1:2]
    return _BY_NAME.get(name, _BY_UNIT.get(unit, Share))


def _one_rate(values: Any) -> Any:
    if values.frame_time_s is not None and values.frame_rate_hz is not None:
        raise ValueError("expected either frame_time or frame_rate, got both")
    return values


def _figures(part: type, name: str, also: Collection[str]) -> type[BaseModel]:
    """Return the section of a part: the figures of its dataclass, each of which may be given.

    Args:
        part: dataclass of the part.
        name: name of the section.
        also: fields that move something for this part alone.
    """
    hints = get_type_hints(part)
    rules = {
        one.name: _rule(part, one.name, hints[one.name])
        for one in fields(part)
        if one.name in also or one.name not in _NOT_OF_THE_TWIN
    }
    described = part.__doc__ or ""
    checks: dict[str, Any] = {}
    if "frame_time_s" in rules:
        rules["frame_rate_hz"] = Rate
        described = described.replace(
            "    Attributes:\n",
            "    Attributes:\n"
            "        frame_rate_hz: one over frame_time, in hertz; give one of the two.\n",
        )
        checks["one_rate"] = model_validator(mode="after")(_one_rate)
    figures: dict[str, Any] = {name: (rule | None, None) for name, rule in rules.items()}
    made: type[BaseModel] = create_model(
        name,
        __config__=SECTION,
        __doc__=described,
        __validators__=checks,
        **figures,
    )
    return made


def _given(figures: BaseModel) -> dict[str, Any]:
    given = {name: value for name, value in figures if value is not None}
    rate_hz = given.pop("frame_rate_hz", None)
    return given if rate_hz is None else {**given, "frame_time_s": 1.0 / rate_hz}


def _part(part: type, name: str = "", also: Collection[str] = ()) -> Any:
    return ReadAs(Annotated[_figures(part, name or part.__name__, also), AfterValidator(_given)])


Given = Mapping[str, Any]
"""Figures of a part by the names of its fields in `optics`."""
_EVEN_IF_ABSENT = Field(validate_default=True)
OfLaser = Annotated[Given, _part(Laser), _EVEN_IF_ABSENT]
OfModulator = Annotated[Given, _part(Modulator), _EVEN_IF_ABSENT]
OfFilter = Annotated[Given, _part(Modulator, "Filter", ("crosstalk_px",)), _EVEN_IF_ABSENT]
OfLens = Annotated[Given, _part(Lens), _EVEN_IF_ABSENT]
OfCamera = Annotated[Given, _part(Camera), _EVEN_IF_ABSENT]


@spec
@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Scheme that recovers signs from intensities; its passes are exposures of each frame.

    Attributes:
        scheme: scheme of exposures.
        frames: phases of a reference beam.
        split_inputs: whether a reference beam has images positive, then negative.
    """

    scheme: Literal["field", "two-shot", "four-shot", "reference"]
    frames: Count = 4
    split_inputs: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"scheme": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow the short form: the scheme's name alone."""
        whole = dict(handler.resolve_ref_schema(handler(schema)))
        return {"anyOf": [{"type": "string", "enum": whole["properties"]["scheme"]["enum"]}, whole]}

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Exposures of each frame."""
        if self.scheme == "reference":
            return reference_passes(self.frames, split_inputs=self.split_inputs)
        return {"field": WHOLE, "two-shot": TWO_SHOT, "four-shot": FOUR_SHOT}[self.scheme]

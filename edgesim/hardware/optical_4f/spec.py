"""The YAML mapping of a 4f accelerator, in the catalog or inline in a scenario."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictInt,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from edgesim.common.errors import nearest
from edgesim.common.quantities import (
    Bandwidth,
    Joules,
    Metres,
    PositiveSeconds,
    Rate,
    Ratio,
    Seconds,
    Watts,
)
from edgesim.common.units import EXAMPLES
from edgesim.graph import OpKind
from edgesim.hardware.host import HostSpec
from optics.modulator import ModulatorKind
from optics.presets import PRESETS
from optics.tiling.plan import Kind

Share = Annotated[
    Ratio,
    Field(gt=0.0, le=1.0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                {"type": "string"},
            ],
            "description": "above 0 and at most 1, such as 0.5 or '50 %'",
            "examples": [EXAMPLES["ratio"]],
        }
    ),
]
Count = Annotated[StrictInt, Field(ge=1)]
Bits = Annotated[StrictInt, Field(ge=1, le=16)]
Number = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
PositiveNumber = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
SYSTEMS = (*PRESETS, "ideal")
"""Names that ``preset`` takes: those of `optics.presets`, and one without limits."""


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


def _system(value: str) -> str:
    if value not in SYSTEMS:
        raise ValueError(
            f"expected one of {', '.join(SYSTEMS)}, got '{value[:60]}'"
            f"{nearest(value, list(SYSTEMS))}"
        )
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Framed(_Strict):
    """A part that goes from frame to frame."""

    pixels: Plane | None = None
    pitch: Metres | None = None
    bits: Bits | None = None
    power: Watts | None = None
    frame_time: Seconds | None = None
    frame_rate: Rate | None = Field(None, description="one over frame_time; give one of the two")

    @model_validator(mode="after")
    def _one_rate(self) -> _Framed:
        if self.frame_time is not None and self.frame_rate is not None:
            raise ValueError("expected either frame_time or frame_rate, got both")
        return self


class LaserSpec(_Strict):
    """The light."""

    wavelength: Metres | None = None
    power: Annotated[Watts, Field(gt=0.0)] | None = Field(
        None, description="light that reaches the input modulator"
    )
    wall_plug_efficiency: Share | None = None


class ModulatorSpec(_Framed):
    """A modulator with its driver."""

    kind: ModulatorKind | None = None
    fill_factor: Share | None = None
    efficiency: Share | None = None
    load: Seconds | None = None
    settle: Seconds | None = None
    double_buffered: bool | None = None
    dac_energy: Joules | None = Field(None, description="of each pixel written, besides power")


class LensSpec(_Strict):
    """A lens."""

    focal_length: Metres | None = None
    pupil: Metres | None = None
    efficiency: Share | None = None


class CameraSpec(_Framed):
    """The camera."""

    quantum_efficiency: Share | None = None
    dark: Number | None = Field(None, description="electrons of a pixel in a second")
    read_noise: Number | None = Field(None, description="electrons")
    full_well: PositiveNumber | None = Field(None, description="electrons")
    exposure: PositiveSeconds | None = None
    readout: Seconds | None = None
    overlapped_readout: bool | None = None
    adc_energy: Joules | None = Field(None, description="of each conversion, besides power")


class SignsSpec(_Strict):
    """How signs are told from intensities; its passes are exposures of each frame."""

    scheme: Literal["field", "two-shot", "four-shot", "reference"]
    frames: Count = Field(default=4, description="phases of a reference beam")
    split_inputs: bool = Field(
        default=False, description="a reference beam with images positive, then negative"
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"scheme": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow the short form: the scheme's name alone."""
        whole = handler.resolve_ref_schema(handler(core_schema))
        scheme = dict(whole["properties"]["scheme"])
        return {"anyOf": [{"type": "string", "enum": scheme["enum"]}, dict(whole)]}


Optical = Literal["conv", "depthwise", "linear"]


class Optical4FSpec(_Strict):
    """A 4f correlator and the electronics around it.

    What is not given is the preset's; without a preset every part is given.
    """

    kind: Literal["optical-4f"] = "optical-4f"
    description: str = ""
    preset: (
        Annotated[
            str,
            AfterValidator(_system),
            WithJsonSchema({"type": "string", "enum": list(SYSTEMS)}),
        ]
        | None
    ) = None
    plane: Plane | None = Field(
        None,
        description="scales modulators, lenses and camera to a plane of these pixels",
    )
    frame_rate: Rate | None = Field(
        None, description="scales all times of modulators and camera to this rate"
    )
    laser: LaserSpec = LaserSpec()
    input: ModulatorSpec = ModulatorSpec()
    lens_1: LensSpec = LensSpec()
    filter: ModulatorSpec = ModulatorSpec()
    lens_2: LensSpec = LensSpec()
    camera: CameraSpec = CameraSpec()
    link: Bandwidth | None = Field(None, description="between the host and the optics, each way")
    light: Share | None = Field(
        None,
        description="of a clear filter's light, what reaches the brightest pixel; as much as the "
        "camera takes unless given",
    )
    signs: SignsSpec = SignsSpec(scheme="four-shot")
    planes: Count = Field(
        default=1, description="binary planes that show an image, each with exposures of its own"
    )
    along: Annotated[list[Kind], Field(min_length=1)] | None = Field(
        None, description="what may lie side by side; images alone before a filter of mirrors"
    )
    whole_frames: bool = Field(
        default=True, description="all pixels cross the link, not only those of tiles"
    )
    stored_kernels: bool = Field(
        default=False, description="the filter has a memory of its patterns: none crosses the link"
    )
    optical: Annotated[list[Optical], Field(min_length=1)] = Field(
        default=["conv", "depthwise", "linear"], description="operators that run on light"
    )
    linear: Literal["valid", "pointwise", "fewest"] = Field(
        default="valid", description="how a linear layer becomes a convolution"
    )
    overflow: Literal["error", "host"] = Field(
        default="error", description="what becomes of layers that light cannot hold"
    )
    host: HostSpec | None = Field(
        None, description="a processor of the catalog, or an inline one; else the preset's"
    )
    source: dict[str, str] = Field(default_factory=dict)

    @property
    def kinds(self) -> frozenset[OpKind]:
        """Kinds of operator that run on light."""
        return frozenset(OpKind(kind) for kind in self.optical)

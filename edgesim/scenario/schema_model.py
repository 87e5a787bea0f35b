"""The section ``model``: what may stand where."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt

from edgesim.common.fields import WHOLE, Count, Name, Text
from edgesim.common.quantities import Bytes, Flop
from edgesim.hardware.device import Precision
from edgesim.scenario.fields import Strict

Size = Annotated[StrictInt, Field(ge=1, le=100_000), WHOLE]


class TaskSpec(Strict):
    """A task of an explicit task graph; it takes flop / peak of its node."""

    flop: Flop = Field(description="operations; one multiply-accumulate is two")
    node: Name = Field(description="that runs it", examples=["pi-0"])
    memory: Bytes = Field(default=0.0, description="that it holds on its node")
    cores: Count | None = Field(default=None, description="of the node; all unless given")
    priority: Annotated[StrictInt, Field(ge=-1_000_000, le=1_000_000), WHOLE] = Field(
        default=0, description="lower runs first on a node with queue: priority"
    )
    optional: StrictBool = Field(
        default=False, description="the answer is only degraded without it"
    )


class TransferSpec(Strict):
    """Bytes from one task to another."""

    source: Name = Field(alias="from", description="a task")
    target: Name = Field(alias="to", description="a task")
    bytes: Bytes = Field(description="sent for each sample")


class ModelSpec(Strict):
    """A model: one of the catalog, by `name`, an `artifact`, or an explicit task graph."""

    name: Text | None = Field(
        None,
        description="of the catalog; `edgesim models` lists them",
        examples=["vit_base_patch16_224"],
    )
    precision: Precision = Field(
        default="fp32", description="of weights, activations and arithmetic"
    )
    classes: Annotated[StrictInt, Field(ge=1, le=1_000_000), WHOLE] | None = Field(
        None, description="outputs"
    )
    image_size: Size | None = Field(None, description="height and width of the input, in pixels")
    channels: Size | None = Field(None, description="of the input image")
    patch_size: Size | None = Field(None, description="of a transformer, in pixels")
    width: Size | None = Field(None, description="residual width of a transformer")
    depth: Annotated[StrictInt, Field(ge=1, le=1_000), WHOLE] | None = Field(
        default=None, description="blocks of a transformer"
    )
    heads: Size | None = Field(None, description="attention heads of a transformer")
    head_width: Size | None = Field(
        None, description="of a transformer; width / heads if not given"
    )
    mlp_width: Annotated[StrictInt, Field(ge=1, le=1_000_000), WHOLE] | None = Field(
        default=None, description="feed-forward width of a transformer; 4 × width if not given"
    )
    tasks: Annotated[dict[Name, TaskSpec], Field(min_length=1)] | None = Field(
        default=None, description="of an explicit task graph, by name"
    )
    transfers: list[TransferSpec] = Field(
        default_factory=list, description="of an explicit task graph"
    )
    artifact: Text | None = Field(
        default=None,
        description="folder that `edgesim partition` wrote; relative to this file",
        examples=["fashion-5"],
    )
    training: dict[str, Any] | None = Field(
        default=None, description="recipe of `edgesim partition`, which makes an artifact of it"
    )

    def options(self) -> dict[str, int]:
        """Return the catalog model's options that are given."""
        given = {key: getattr(self, key) for key in BUILD_OPTIONS}
        return {key: value for key, value in given.items() if value is not None}


BUILD_OPTIONS = (
    "classes", "image_size", "channels", "patch_size", "width", "depth", "heads", "head_width",
    "mlp_width",
)  # fmt: skip
"""Keys of a model of the catalog that change its architecture."""

"""The keys of a model's source: what it is, and what it is built with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, WithJsonSchema

from edgesim.common.fields import WHOLE, Text
from edgesim.common.text import described
from edgesim.common.validation import spec
from edgesim.graph.compress.spec import Compression
from edgesim.graph.sources import inputs

Size = Annotated[StrictInt, Field(ge=1, le=100_000), WHOLE]


def _callable(value: str) -> str:
    place, colon, name = value.rpartition(":")
    if not colon or not place or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(
            "expected FILE.py:CALLABLE or PACKAGE.MODULE:CALLABLE, such as 'my_model.py:build', "
            f"got {described(value)}"
        )
    return value


def _input(value: Any) -> Any:
    inputs.check(value)
    return value


InputField = Annotated[
    Any,
    AfterValidator(_input),
    WithJsonSchema({"anyOf": [{"type": "array"}, {"type": "object"}]}),
]


@spec
@dataclass(frozen=True, kw_only=True)
class SourceKeys:
    """A model: one of the catalog, by `name`, or from elsewhere.

    Attributes:
        name: name in the catalog (`edgesim models` lists them).
        timm: name of a model of timm, any that it has.
        torch: file or package, and a callable in it that returns a torch module; relative to this
            file. Its code is run, in a process of its own.
        exported: path of a program that `torch.export.save` wrote; relative to this file.
        onnx: path of an ONNX model; relative to this file.
        graph: path of a graph that `edgesim trace` wrote; relative to this file.
        arguments: arguments of the callable, by name.
        input: shape of one sample, without the batch; or several by name, each a shape or
            `{shape, dtype}`.
        reparameterize: whether branches that a module has for training are merged, by methods such
            as `switch_to_deploy`: `auto` (where it has them), `true` (it must) or `false`.
        up_to: name of the module or operator that the model ends with.
        compress: compression of the graph, after `up_to`.
        classes: number of outputs.
        image_size: height and width of the input, in pixels.
        channels: number of channels of the input image.
        patch_size: height and width of a transformer's patches, in pixels.
        width: number of residual channels of a transformer.
        depth: number of blocks of a transformer.
        heads: number of attention heads of a transformer.
        head_width: number of channels of an attention head; width / heads unless given.
        mlp_width: number of feed-forward neurons of a transformer's block; 4 × width unless given.
    """

    name: Annotated[Text | None, Field(examples=["vit_base_patch16_224"])] = None
    timm: Annotated[Text | None, Field(examples=["xcit_small_12_p16_224"])] = None
    torch: Annotated[
        Annotated[Text, AfterValidator(_callable)] | None, Field(examples=["my_model.py:build"])
    ] = None
    exported: Annotated[Text | None, Field(examples=["net.pt2"])] = None
    onnx: Annotated[Text | None, Field(examples=["net.onnx"])] = None
    graph: Annotated[Text | None, Field(examples=["net.graph.json"])] = None
    arguments: dict[str, Any] | None = None
    input: InputField | None = None
    reparameterize: Literal["auto"] | StrictBool | None = None
    up_to: Text | None = None
    compress: Compression | None = None
    classes: Annotated[StrictInt, Field(ge=1, le=1_000_000), WHOLE] | None = None
    image_size: Size | None = None
    channels: Size | None = None
    patch_size: Size | None = None
    width: Size | None = None
    depth: Annotated[StrictInt, Field(ge=1, le=1_000), WHOLE] | None = None
    heads: Size | None = None
    head_width: Size | None = None
    mlp_width: Annotated[StrictInt, Field(ge=1, le=1_000_000), WHOLE] | None = None

    def options(self) -> dict[str, int]:
        """Return the catalog model's options that are given."""
        given = {key: getattr(self, key) for key in BUILD_OPTIONS}
        return {key: value for key, value in given.items() if value is not None}


BUILD_OPTIONS = (
    "classes", "image_size", "channels", "patch_size", "width", "depth", "heads", "head_width",
    "mlp_width",
)  # fmt: skip
"""Keys of a model of the catalog that change its architecture."""

"""The processor beside an accelerator, which runs what the accelerator does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Tag, ValidationInfo

from edgesim.common.errors import InputError
from edgesim.common.validation import ReadAs
from edgesim.hardware.processor import Processor


def _branch(value: object) -> str:
    return "inline" if isinstance(value, dict) else "named"


def _processor(what: str | Processor, info: ValidationInfo) -> Processor:
    """Return the host of the device that is validated."""
    from edgesim.hardware import catalog

    if isinstance(what, Processor):
        return replace(what, name=f"{info.data.get('name', '')} host")
    try:
        found = catalog.device(what)
    except InputError as error:
        raise ValueError(str(error)) from None
    if not isinstance(found, Processor):
        raise ValueError(f"expected a processor, '{what}' is of kind {found.kind}")
    return found


Host = Annotated[
    Processor,
    ReadAs(
        Annotated[
            Annotated[str, Tag("named")] | Annotated[Processor, Tag("inline")],
            Discriminator(_branch),
        ]
    ),
    AfterValidator(_processor),
]
"""A host: written as a processor's name in the catalog, or as a processor."""

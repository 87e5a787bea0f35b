"""The processor beside an accelerator, which runs what the accelerator does not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Tag

from edgesim.common.errors import InputError
from edgesim.hardware.processor import Processor
from edgesim.hardware.processor_spec import ProcessorSpec


def _branch(value: object) -> str:
    return "inline" if isinstance(value, dict) else "named"


HostSpec = Annotated[
    Annotated[str, Tag("named")] | Annotated[ProcessorSpec, Tag("inline")], Discriminator(_branch)
]
"""How a host is written: a processor's name in the catalog, or a processor."""


def host_of(name: str, what: str | ProcessorSpec) -> Processor:
    """Return the host of the device ``name``.

    Raises:
        InputError: there is no such device, or it is no processor.
    """
    from edgesim.hardware import catalog

    if isinstance(what, ProcessorSpec):
        return Processor.from_spec(f"{name} host", what)
    try:
        found = catalog.device(what)
    except InputError as error:
        raise InputError(f"device '{name}': host: {error}") from None
    if not isinstance(found, Processor):
        raise InputError(
            f"device '{name}': host: expected a processor, '{what}' is of kind {found.kind}"
        )
    return found

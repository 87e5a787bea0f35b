"""The processor beside an accelerator, which runs what the accelerator does not."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Tag, ValidationInfo

from edgesim.common.errors import InputError
from edgesim.common.validation import ReadAs, key_of
from edgesim.hardware.processor import Processor

_PLAIN = Processor(peak_flop_s={"fp32": 1.0})
_ALONE = ("measured", "cooling", "thermal", "spread", "published", "runtime", "runtimes")
"""Fields of a processor that computes by itself, which no accelerator reads of its host."""


def _branch(value: object) -> str:
    return "inline" if isinstance(value, dict) else "named"


def _without(fields: tuple[str, ...], host: Processor) -> Processor:
    for field in fields:
        read = attrgetter(field)
        if read(host) != read(_PLAIN):
            raise ValueError(
                f"{key_of(field)}: an accelerator reads none of its host; leave it out"
            )
    return host


def _read(*unread: str) -> ReadAs:
    """Return how the host of an accelerator is read that has no use for some of its fields."""
    check = AfterValidator(partial(_without, (*_ALONE, *unread)))
    inline = Annotated[Processor, check, Tag("inline")]
    return ReadAs(Annotated[Annotated[str, Tag("named")] | inline, Discriminator(_branch)])


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


Host = Annotated[Processor, _read(), AfterValidator(_processor)]
"""A host: written as a processor's name in the catalog, or as a processor."""
SilentHost = Annotated[
    Processor,
    _read("power.sending_w", "power.receiving_w", "messaging"),
    AfterValidator(_processor),
]
"""The host of an accelerator that sends and receives by itself."""

"""What a model takes on an accelerator, layer by layer, whichever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesim.common.errors import InputError
from edgesim.graph import zoo
from edgesim.hardware import catalog
from edgesim.hardware.crossbar import PhotonicCrossbar
from edgesim.report import crossbar_layers, optical_layers

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to show.

    Attributes:
        document: plain data.
        optical: what a 4f accelerator shows besides; None for a crossbar.
    """

    document: dict[str, Any]
    optical: optical_layers.Told | None = None


def explain(
    name: str | None,
    model_name: str | None,
    operator: str | None,
    *,
    batch: int = 1,
    classes: int = 1000,
    precision: str | None = None,
    out: Path | None = None,
) -> Told:
    """Return what a model of the catalog, or one layer of it, takes on an accelerator.

    Args:
        name: of the device.
        model_name: of the model.
        operator: of the model; None for all of it.
        batch: samples at once.
        classes: outputs of the model.
        precision: of the device; its first unless given.
        out: where to draw a layer's planes on a 4f accelerator.

    Raises:
        InputError: what is needed was not named, or is not there; or the model does not run.
    """
    device = None if name is None else catalog.device(name)
    if model_name is None or not isinstance(device, PhotonicCrossbar):
        told = optical_layers.explain(
            name, model_name, operator, batch=batch, classes=classes, precision=precision, out=out
        )
        return Told(told.document, told)
    if out is not None:
        raise InputError(f"'{name}' has no planes to draw; leave out --out")
    graph = zoo.build(model_name, classes=classes)
    if operator is None:
        return Told(crossbar_layers.model(device, graph, batch, precision))
    return Told(crossbar_layers.layer(device, graph, operator, batch, precision))


def show(told: Told, console: Console) -> None:
    """Print what `explain` returned."""
    if told.optical is not None:
        optical_layers.show(told.optical, console)
    else:
        crossbar_layers.show(told.document, console)

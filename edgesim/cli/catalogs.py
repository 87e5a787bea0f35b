"""Commands that list the models and devices of the catalogs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgesim.cli.session import Session
from edgesim.common.options import argument, option


@dataclass(frozen=True, kw_only=True)
class ModelsOptions:
    """Which models are listed."""

    name: str | None = argument("NAME", "Name of a model.", None)
    classes: int = option("N", "Number of classes that the model tells apart.", 1000, min=1)


@dataclass(frozen=True, kw_only=True)
class DevicesOptions:
    """Which devices, or which layers on one, are described."""

    name: str | None = argument("NAME", "Name of a device, or its file.", None)
    model: str | None = option("MODEL", "Show time and energy of each layer of this model.", None)
    layer: str | None = option(
        "OPERATOR", "Show work, time and energy of this one layer of the model.", None
    )
    batch: int = option("N", "Images that are computed together.", 1, min=1)
    classes: int = option("N", "Number of classes that the model tells apart.", 1000, min=1)
    precision: str | None = option(
        "NAME", "Number format, such as fp32.", None, show_default="the device's first"
    )
    out: Path | None = option(
        "FILE.svg", "Write a drawing of the layer's planes on a 4f accelerator.", None
    )


def models(session: Session, options: ModelsOptions) -> None:
    """List the models, or the operators of one with their MACs and bytes."""
    from edgesim.report import model_tables

    name, classes = options.name, options.classes
    document = model_tables.one(name, classes) if name else model_tables.every(classes)
    session.finish(document, partial(model_tables.show, document))


def devices(session: Session, options: DevicesOptions) -> None:
    """List the devices, or the figures of one with their sources and its predictions."""
    if options.model is None and options.layer is None and options.out is None:
        from edgesim.report import device_tables

        name = options.name
        document = device_tables.one(name) if name else device_tables.every()
        session.finish(document, partial(device_tables.show, document))
        return
    from edgesim.report import device_layers

    explained = device_layers.explain(
        options.name,
        options.model,
        options.layer,
        batch=options.batch,
        classes=options.classes,
        precision=options.precision,
        out=options.out,
    )
    session.finish(explained.document, partial(device_layers.show, explained), written=options.out)

"""Commands that list the models and devices of the catalogs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgesim.cli.session import Session
from edgesim.cli.trace import SourceOptions
from edgesim.common.options import argument, option

if TYPE_CHECKING:
    from edgesim.graph.sources import Source


DEFAULT_CLASSES = 1000
"""Outputs of a model of the catalog."""
CLASSES = f"{DEFAULT_CLASSES} of a model of the catalog"


def _read(source: SourceOptions, text: str, classes: int | None) -> Source:
    """Return a model of the catalog, with a thousand classes unless given, or from elsewhere."""
    from edgesim.graph import zoo

    if classes is None and text in zoo.names() and "classes" in zoo.info(text).options:
        classes = DEFAULT_CLASSES
    return source.read(text, classes)


@dataclass(frozen=True, kw_only=True)
class ModelsOptions:
    """Which models are listed."""

    name: str | None = argument(
        "SPEC",
        "Name of a model; or timm:NAME, torch:FILE.py:CALLABLE, exported:FILE, onnx:FILE or "
        "graph:FILE.",
        None,
    )
    classes: int | None = option(
        "N", "Number of classes that the model tells apart.", None, min=1, show_default=CLASSES
    )


@dataclass(frozen=True, kw_only=True)
class DevicesOptions:
    """Which devices, or which layers on one, are described."""

    name: str | None = argument("NAME", "Name of a device, or its file.", None)
    model: str | None = option(
        "SPEC", "Show time and energy of each layer of this model (see `edgesim models`).", None
    )
    layer: str | None = option(
        "OPERATOR", "Show work, time and energy of this one layer of the model.", None
    )
    batch: int = option("N", "Images that are computed together.", 1, min=1)
    classes: int | None = option(
        "N", "Number of classes that the model tells apart.", None, min=1, show_default=CLASSES
    )
    precision: str | None = option(
        "NAME", "Number format, such as fp32.", None, show_default="the device's first"
    )
    out: Path | None = option(
        "FILE.svg", "Write a drawing of the layer's planes on a 4f accelerator.", None
    )


def models(session: Session, options: ModelsOptions, source: SourceOptions) -> None:
    """List the models, or the operators of one with their MACs and bytes."""
    from edgesim.report import model_tables

    classes = options.classes
    if options.name is None:
        document = model_tables.every(classes or DEFAULT_CLASSES)
    else:
        document = model_tables.one(_read(source, options.name, classes))
    session.finish(document, partial(model_tables.show, document))


def devices(session: Session, options: DevicesOptions, source: SourceOptions) -> None:
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
        _read(source, options.model, options.classes).graph if options.model else None,
        options.layer,
        batch=options.batch,
        precision=options.precision,
        out=options.out,
    )
    session.finish(explained.document, partial(device_layers.show, explained), written=options.out)

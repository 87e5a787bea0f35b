"""Commands that list the models and devices of the catalogs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgesim.cli.session import Session
from edgesim.cli.trace import SourceOptions
from edgesim.common.errors import InputError
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
    on: str | None = option(
        "DEVICE",
        "Show time and energy of every model on this device, or its file, beside the published "
        "accuracy.",
        None,
    )
    batch: int | None = option(
        "N", "With --on: images that are computed together.", None, min=1, show_default="1"
    )
    precision: str | None = option(
        "NAME", "With --on: number format, such as fp32.", None, show_default="the device's first"
    )
    out: Path | None = option(
        "FILE.csv", "With --on: write the table to this file.", None, names=["--out", "-o"]
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
    """List the models, the operators of one with their MACs and bytes, or times on a device."""
    if options.on is not None:
        _on_device(session, options, options.on)
        return
    for name in ("batch", "precision", "out"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name} belongs to --on DEVICE, which is not given")
    from edgesim.report import model_tables

    classes = options.classes
    if options.name is None:
        document = model_tables.every(classes or DEFAULT_CLASSES)
    else:
        document = model_tables.one(_read(source, options.name, classes))
    session.finish(document, partial(model_tables.show, document))


def _on_device(session: Session, options: ModelsOptions, device: str) -> None:
    from edgesim.report import model_costs

    if options.name is not None or options.classes is not None:
        raise InputError(
            "--on shows every model of the catalog as it was published; for one model use "
            f"`edgesim devices {device} --model {options.name or 'SPEC'}`"
        )
    out = None if options.out is None else model_costs.out_file(options.out)
    document = model_costs.on_device(device, precision=options.precision, batch=options.batch or 1)
    session.finish(
        document,
        partial(model_costs.show, document),
        write=None if out is None else partial(model_costs.write, document, out),
        work="table",
    )


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

"""The command that turns a model into a graph file, and the options of every model's source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edgesim.cli.session import Session
from edgesim.common.errors import InputError
from edgesim.common.files import prepare_file
from edgesim.common.options import argument, option, quantity

if TYPE_CHECKING:
    from edgesim.graph.sources import Source

_limit = quantity("time", above_zero=True)


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What a model is built and traced with."""

    PANEL: ClassVar = "Models from elsewhere (timm:, torch:, exported:, onnx:, graph:)"

    input: str | None = option(
        "YAML",
        "Shape of one sample without the batch, such as '[3, 224, 224]'; several by name: "
        "'{ids: {shape: [128], dtype: int64}, mask: [128]}'.",
        None,
        show_default="the model's own",
    )
    arguments: str | None = option(
        "YAML", "Arguments of the callable, by name, such as '{depth: 4}'.", None
    )
    up_to: str | None = option("NAME", "Module or operator that the model ends with.", None)
    reparameterize: str | None = option(
        "auto|true|false",
        "Merge branches that a module has for training alone.",
        None,
        show_default="auto",
    )
    limit_s: float | None = option(
        "TIME", "Longest that a trace may take.", None, parser=_limit, show_default="10 min"
    )
    cache: str | None = option(
        "DIR|off",
        "Folder in which traces are kept; 'off' for none.",
        None,
        show_default="$EDGESIM_CACHE, else ~/.cache/edgesim",
    )

    def read(self, text: str, classes: int | None = None) -> Source:
        """Return the model that a source on the command line names.

        Args:
            text: name of the catalog, or ``SOURCE:…``.
            classes: number of outputs; the model's own unless given.

        Raises:
            InputError: it is none, or cannot be read or traced.
        """
        from edgesim.graph import sources
        from edgesim.graph.sources.cache import Use

        keys = sources.from_text(
            text,
            input=_plain("--input", self.input),
            arguments=_plain("--arguments", self.arguments),
            reparameterize=_plain("--reparameterize", self.reparameterize),
            up_to=self.up_to,
            classes=classes,
        )
        return sources.read(keys, use=Use.of_environment(self.cache, self.limit_s))


def _plain(name: str, text: str | None) -> Any:
    """Return what the YAML text of an option says."""
    if text is None:
        return None
    from edgesim.scenario.document import read_value

    try:
        return read_value(text)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


@dataclass(frozen=True, kw_only=True)
class TraceOptions:
    """Which model is traced, and where its graph goes."""

    spec: str = argument(
        "SPEC",
        "Name of the catalog, or timm:NAME, torch:FILE.py:CALLABLE, exported:FILE, onnx:FILE.",
    )
    out: Path | None = option(
        "FILE.graph.json", "Write the graph to this file.", None, names=["--out", "-o"]
    )
    classes: int | None = option(
        "N", "Number of outputs.", None, min=1, show_default="the model's own"
    )


def trace(session: Session, options: TraceOptions, source: SourceOptions) -> None:
    """Turn a model into a graph of operators: a file that needs neither torch nor its code."""
    from edgesim.report import model_tables

    if options.out is not None:
        if options.out.suffix != ".json":
            raise InputError(f"--out: expected a file that ends in .graph.json, got {options.out}")
        prepare_file(options.out)
    found = source.read(options.spec, options.classes)
    document = model_tables.traced(found)
    session.finish(
        document,
        partial(model_tables.show_traced, document),
        write=None if options.out is None else partial(_write, found, options.out),
        hint="" if options.out is None else f". In a scenario: model: {{graph: {options.out}}}",
        work="trace",
    )


def _write(found: Source, out: Path) -> Path:
    found.graph.save(out)
    return out

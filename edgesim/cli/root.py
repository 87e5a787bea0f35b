"""The command line. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from edgesim.cli import nodes, profile, sweep
from edgesim.cli.session import File, Json, Settings, end, print_json, show, shown_if_lost, stop
from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extras import require
from edgesim.common.failure import leave, tell
from edgesim.common.interrupts import Held, quit_at_once
from edgesim.version import __version__

app = typer.Typer(
    name="edgesim",
    help="What happens if a vision model is split over these boards, or run on light?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Mode(StrEnum):
    """How a scenario is played."""

    SIMULATE = "simulate"
    REAL = "real"
    BOTH = "both"


Seed = Annotated[int | None, typer.Option(metavar="N", help="Replace the seed of the file.", min=0)]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"edgesim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to write cluster.yaml.")
    ] = Path("."),
    as_json: Json = False,
) -> None:
    """Write a commented starter scenario that runs."""
    from edgesim.common.files import write_text
    from edgesim.scenario.starter import starter

    path = directory / "cluster.yaml"
    if path.exists():
        raise InputError(f"{path} exists already; name another directory, or move it away")
    write_text(path, starter())
    if as_json:
        print_json({"file": str(path)})
    typer.echo(f"Wrote {path}. Try: edgesim run {path}", err=as_json)


@app.command()
def check(file: File, settings: Settings = None, seed: Seed = None, as_json: Json = False) -> None:
    """Validate a scenario; print its plan, memory fit and bottleneck. Runs nothing."""
    from edgesim import api
    from edgesim.report import plan_tables

    scenario = api.load(file, overrides=settings or (), seed=seed)
    checked = plan_tables.examine(scenario, api.place(scenario))
    show(checked.document(), partial(plan_tables.show, checked), as_json=as_json)


@app.command()
def run(
    file: File,
    mode: Annotated[Mode, typer.Option(help="How to play it.")] = Mode.SIMULATE,
    settings: Settings = None,
    seed: Seed = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Result folder; an older result there is replaced.",
            show_default="runs/NAME",
        ),
    ] = None,
    trace: Annotated[
        int, typer.Option(metavar="N", min=0, help="Requests of which tasks.csv keeps every task.")
    ] = 1000,
    keys: nodes.ClientKeys = None,
    plain: nodes.Plain = False,
    deadline: nodes.Deadline = None,
    tries: nodes.Tries = None,
    hedge: nodes.Hedge = None,
    health: nodes.Health = None,
    faults_by: nodes.FaultsBy = None,
    loads: nodes.Loads = None,
    as_json: Json = False,
) -> None:
    """Play a scenario; print a table and write a result folder."""
    from edgesim import api
    from edgesim.common.progress import Bar
    from edgesim.report import console, folder
    from edgesim.results.folder import prepare

    real = nodes.player(keys, deadline, tries, hedge, health, plain=plain, faults_by=faults_by)
    if mode is Mode.SIMULATE and real.asked:
        raise InputError(f"{real.asked} belongs to --mode real and both")
    if mode is not Mode.BOTH and loads is not None:
        raise InputError("--loads belongs to --mode both")
    scenario = api.load(file, overrides=settings or (), seed=seed)
    directory = out or Path("runs") / scenario.name
    prepare(directory)
    if mode is Mode.BOTH:
        real.compare(scenario, loads, directory, trace_requests=trace, as_json=as_json)
        return
    with Held() as held:
        with Bar(held=held) as bar:
            play = api.run if mode is Mode.SIMULATE else real.run
            result = play(scenario, trace_requests=trace, progress=bar.update)
        tables = partial(console.show, result)
        with shown_if_lost(tables, as_json=as_json):
            written = folder.write(result, directory)
    show(result.summary, tables, as_json=as_json)
    typer.echo(f"Wrote {written}", err=as_json)
    end(partial=result.partial, noted=held.noted)


@app.command()
def partition(
    file: File,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Artifact folder; replaced at the end."),
    ],
    work: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Finished steps; runs may share them.", show_default="OUT.work"
        ),
    ] = None,
    settings: Settings = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Train, split, prune and fuse the model of a scenario; write an artifact to play or serve."""
    from edgesim import partitioning
    from edgesim.report import artifact_tables

    require("`edgesim partition`", "train")
    recipe = partitioning.load(file, settings or (), seed)
    steps = work or out.with_name(f"{out.name}.work")
    with Held() as held:
        try:
            manifest = partitioning.make(recipe, out, steps, held)
        except KeyboardInterrupt:
            raise EdgesimError(
                f"interrupted; finished steps are kept in {steps}, the same command goes on"
            ) from None
    document = json.loads((out / "manifest.json").read_bytes())
    show(document, partial(artifact_tables.show, manifest), as_json=as_json)
    typer.echo(f"Wrote {out}. In a scenario: model: {{artifact: {out.resolve()}}}", err=as_json)
    if held.noted:
        stop("interrupted at the end; the artifact is whole")


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A model's name.")] = None,
    classes: Annotated[int, typer.Option(metavar="N", min=1, help="Outputs of the model.")] = 1000,
    as_json: Json = False,
) -> None:
    """List the models, or the operators of one with their MACs and bytes."""
    from edgesim.report import model_tables

    document = model_tables.one(name, classes) if name else model_tables.every(classes)
    show(document, partial(model_tables.show, document), as_json=as_json)


@app.command()
def devices(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A device's name.")] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Tell what its layers take on the device."),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(metavar="OPERATOR", help="Tell one layer: its work, time, energy."),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Images at once.")] = 1,
    classes: Annotated[int, typer.Option(metavar="N", min=1, help="Outputs of the model.")] = 1000,
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="The device's first unless given.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg", help="Draw the layer's planes on a 4f accelerator."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the devices, or the figures of one with their sources and its predictions."""
    if model is not None or layer is not None or out is not None:
        from edgesim.report import device_layers

        explained = device_layers.explain(
            name, model, layer, batch=batch, classes=classes, precision=precision, out=out
        )
        show(explained.document, partial(device_layers.show, explained), as_json=as_json)
        if out is not None:
            typer.echo(f"Wrote {out}", err=as_json)
        return
    from edgesim.report import device_tables

    document = device_tables.one(name) if name else device_tables.every()
    show(document, partial(device_tables.show, document), as_json=as_json)


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A result or study folder.")],
    as_json: Json = False,
) -> None:
    """Write report.html anew from the files of a result folder, or of a study's."""
    from edgesim.report import folder

    path = folder.rewrite_report(directory)
    if as_json:
        print_json({"file": str(path)})
    typer.echo(f"Wrote {path}", err=as_json)


@app.command()
def schema(
    result: Annotated[
        bool, typer.Option("--result", metavar="", help="That of a result's summary.json instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="It is JSON anyway.")] = False,
) -> None:
    """Print the JSON Schema of the scenario file, for editors."""
    if result:
        from edgesim.results.schema import schema
    else:
        from edgesim.scenario.json_schema import schema
    print_json(schema())


nodes.add_to(app)
sweep.add_to(app)
profile.add_to(app)


def main() -> NoReturn:
    """Run the command line; every failure ends in one message and an exit status."""
    quit_at_once()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A locale that lacks a letter of ours gets a question mark.
            stream.reconfigure(errors="replace")
    try:
        status = app(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except EdgesimError as error:
        _fail(str(error), error.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted", 1)
    except BrokenPipeError:
        # The reader of our output has gone, as in `edgesim models | head`.
        leave(1)
    except OSError as error:
        # Files that we read or write have messages of their own: this is the output.
        _fail(f"cannot print: {error.strerror or error}", 1)
    except MemoryError:
        _fail("out of memory; ask for fewer requests", 1)
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            leave(2)
        _fail(_usage(error), 2)
    if status == _INTERRUPTED:
        _fail("interrupted", 1)
    leave(status if isinstance(status, int) else 0)


_INTERRUPTED = 130
"""What Typer makes of a KeyboardInterrupt."""
# Typer hands on no name for it, and takes it from click or from a copy of click, by version.
_UsageError: type[Any] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "edgesim"
    text = str(error.format_message()).rstrip(".").replace("Value error, ", "")
    return f"{text[:1].lower()}{text[1:]}; `{command} --help` tells the usage"


def _fail(message: str, status: int) -> NoReturn:
    try:
        tell(message, status)
    except OSError:
        # stdout is what failed; stderr may still be read.
        if sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"edgesim: {message}\n")
    leave(status)

"""The command line. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from edgesim.errors import EdgesimError, InputError
from edgesim.version import __version__

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_OF_FILES = 120

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


File = Annotated[Path, typer.Argument(metavar="FILE", help="Scenario file (YAML).")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Replace a value; repeatable."),
]
Seed = Annotated[int | None, typer.Option(help="Replace the seed of the file.", min=0)]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout, all else on stderr.")
]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"edgesim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to write cluster.yaml.")
    ] = Path("."),
) -> None:
    """Write a commented starter scenario that runs."""
    from edgesim.report.files import write_text
    from edgesim.scenario.starter import starter

    path = directory / "cluster.yaml"
    if path.exists():
        raise InputError(f"{path} exists already; name another directory, or move it away")
    write_text(path, starter())
    typer.echo(f"Wrote {path}. Try: edgesim run {path}")


@app.command()
def check(file: File, settings: Settings = None, seed: Seed = None, as_json: Json = False) -> None:
    """Validate a scenario; print its plan, memory fit and bottleneck. Runs nothing."""
    from edgesim import api
    from edgesim.report import plan_tables

    scenario = api.load(file, overrides=settings or (), seed=seed)
    checked = plan_tables.examine(scenario, api.place(scenario))
    if as_json:
        _print_json(checked.document())
    else:
        plan_tables.show(checked, _console())


@app.command()
def run(
    file: File,
    mode: Annotated[Mode, typer.Option(help="How to play it.")] = Mode.SIMULATE,
    settings: Settings = None,
    seed: Seed = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Result folder.  [default: runs/NAME]")
    ] = None,
    trace: Annotated[
        int, typer.Option(metavar="N", min=0, help="Requests of which tasks.csv keeps every task.")
    ] = 1000,
    as_json: Json = False,
) -> None:
    """Play a scenario; print a table and write a result folder."""
    from edgesim import api
    from edgesim.report import console, folder
    from edgesim.report.progress import Bar

    assert mode is Mode.SIMULATE
    scenario = api.load(file, overrides=settings or (), seed=seed)
    directory = out or Path("runs") / scenario.name
    folder.prepare(directory)
    with Bar() as bar:
        result = api.run(scenario, trace_requests=trace, progress=bar.update)
    written = folder.write(result, directory)
    if as_json:
        _print_json(result.summary)
    else:
        console.show(result, _console())
    typer.echo(f"Wrote {written}", err=as_json)
    if result.partial:
        typer.echo("edgesim: interrupted; what had finished is kept, marked partial", err=True)
        raise typer.Exit(1)


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A model's name.")] = None,
    classes: Annotated[int, typer.Option(min=1, help="Outputs of the model.")] = 1000,
    as_json: Json = False,
) -> None:
    """List the models, or the operators of one with their MACs and bytes."""
    from edgesim.report import model_tables

    document = model_tables.one(name, classes) if name else model_tables.every(classes)
    if as_json:
        _print_json(document)
    else:
        model_tables.show(document, _console())


@app.command()
def devices(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A device's name.")] = None,
    as_json: Json = False,
) -> None:
    """List the devices, or the figures of one with their sources and its predictions."""
    from edgesim.report import device_tables

    document = device_tables.one(name) if name else device_tables.every()
    if as_json:
        _print_json(document)
    else:
        device_tables.show(document, _console())


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A result folder.")],
) -> None:
    """Write report.html anew from the files of a result folder."""
    from edgesim.report import folder

    typer.echo(f"Wrote {folder.rewrite_report(directory)}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the scenario file, for editors."""
    from edgesim.scenario import json_schema

    _print_json(json_schema.schema())


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        # Nobody's window bounds a file or a pipe.
        console.width = _WIDTH_OF_FILES
    return console


def _print_json(document: Any) -> None:
    json.dump(document, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def main() -> NoReturn:
    """Run the command line; every failure ends in one message and an exit status."""
    try:
        app()
    except EdgesimError as error:
        _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        _fail("interrupted", 1)
    except BrokenPipeError:
        # The reader of our output has gone, as in `edgesim models | head`.
        sys.stderr.close()
        sys.exit(1)
    except MemoryError:
        _fail("out of memory; ask for fewer requests", 1)
    sys.exit(0)


def _fail(message: str, status: int) -> NoReturn:
    sys.stdout.flush()
    if "--json" in sys.argv[1:]:
        _print_json({"error": {"message": message, "exit_status": status}})
    sys.stderr.write(f"edgesim: {message}\n")
    sys.exit(status)

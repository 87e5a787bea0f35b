"""What all commands share: options, progress, interrupts, tables or JSON, and exit status."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import MISSING, Field, dataclass, fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Self, get_type_hints

import typer

from edgesim.common.errors import EdgesimError
from edgesim.common.interrupts import Held
from edgesim.common.options import argument, option
from edgesim.common.text import visible

if TYPE_CHECKING:
    from rich.console import Console

    from edgesim.common.progress import Bar
    from edgesim.placement import Model
    from edgesim.scenario import Scenario

Tables = Callable[["Console"], None]
"""Prints the result of a command for people."""
PARTIAL = "interrupted; what had finished is kept, marked partial"
"""Failure of a run that was interrupted."""
_FILE_COLUMNS = 120
_MIN_COLUMNS = 80
_KEYWORD = Parameter.KEYWORD_ONLY


_JSON = typer.Option(
    "--json", metavar="", help="Print one JSON document on stdout, everything else on stderr."
)


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """A file, and what replaces values in it."""

    file: Path = argument("FILE", "Scenario file (YAML).")
    overrides: list[str] | None = option(
        "KEY.PATH=VALUE",
        "Replace a value of the file, such as traffic.rate=2/s; repeatable.",
        None,
        names=["--set"],
    )


@dataclass(frozen=True, kw_only=True)
class ScenarioOptions(FileOptions):
    """A scenario file, and what replaces values in it."""

    seed: int | None = option("N", "Random seed, in place of the file's.", None, min=0)

    def load(self) -> Scenario:
        """Return the scenario.

        Raises:
            InputError: the file cannot be read, or it or an override is wrong.
        """
        from edgesim import api

        scenario = api.load(self.file, overrides=self.overrides or (), seed=self.seed)
        tell_trace(scenario.placement.model)
        return scenario


def tell_trace(model: Model) -> None:
    """Print how a model's graph came to be, such as ``traced in 3.1 s``; nothing for files."""
    if model.how:
        typer.echo(visible(f"{model.name}: {model.how}"), err=True)


class Session:
    """One command from its start to its exit status.

    Attributes:
        as_json: print one JSON document on stdout, and everything else on stderr.
        interrupts: held from the first progress report until the result is written.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.interrupts = Held()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.interrupts)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def bar(self, counted: str = "requests") -> Bar:
        """Return a progress bar; an interrupt ends the work at its next report."""
        from edgesim.common.progress import Bar

        return Bar(what=counted, held=self.interrupts)

    def finish(
        self,
        document: Any,
        tables: Tables | None = None,
        *,
        write: Callable[[], Path] | None = None,
        written: Path | None = None,
        hint: str = "",
        failure: str = "",
        status: int = 1,
        work: str = "run",
    ) -> None:
        """Write and print the result of a command, and end the command.

        Args:
            document: the result, as the one JSON document.
            tables: the result, for people; None where the path says all.
            write: writes the result and returns its path. Where it fails, tables are printed
                before the error, so that the result can still be seen.
            written: path of what is written already.
            hint: printed after the path.
            failure: what went wrong although there is a result; empty where nothing did.
            status: exit status of the failure.
            work: what an interrupt came too late to stop.

        Raises:
            EdgesimError: the result cannot be written.
            typer.Exit: the command failed or was interrupted; the message is printed.
        """
        show = tables or (lambda console: None)
        try:
            path = write() if write is not None else written
        except EdgesimError:
            if not self.as_json:
                show(_console())
            raise
        finally:
            self._stack.close()
        if self.as_json:
            print_json(document)
        else:
            show(_console())
        if path is not None:
            typer.echo(visible(f"Wrote {path}{hint}"), err=self.as_json)
        if failure:
            stop(failure, status)
        if self.interrupts.noted:
            stop(f"interrupted after the {work} had ended; its result is complete")


def _console() -> Console:
    """Return a console on stdout, wide enough not to break a number."""
    from edgesim.common.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        # A file or a pipe has no window that limits the width.
        console.width = _FILE_COLUMNS
    console.width = max(console.width, _MIN_COLUMNS)
    return console


def print_json(document: Any) -> None:
    """Print the one document of a command.

    Raises:
        EdgesimError: there is no stdout.
    """
    if sys.stdout is None:
        raise EdgesimError("cannot print: stdout is closed")
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def stop(message: str, status: int = 1) -> NoReturn:
    """End a command whose result is printed already: with a message, but no second document."""
    typer.echo(f"edgesim: {visible(message)}", err=True)
    raise typer.Exit(status)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Return a function in the form that Typer reads options from.

    Every parameter but a ``session`` is a dataclass of options, made with
    `edgesim.common.options`; ``session`` stands for the option ``--json``. The help shows the
    options of a dataclass with a ``PANEL`` under that title.
    """
    groups: dict[str, Any] = get_type_hints(function)
    groups.pop("return")
    with_session = groups.pop("session", None) is not None
    parameters = []
    for group in groups.values():
        types = get_type_hints(group)
        panel = getattr(group, "PANEL", None)
        parameters += [_parameter(one, types[one.name], panel) for one in fields(group)]
    if with_session:
        json_type = Annotated[bool, _JSON]
        parameters.append(Parameter("as_json", _KEYWORD, default=False, annotation=json_type))

    @functools.wraps(function)
    def run(**given: Any) -> None:
        options = {
            name: group(**{one.name: given[one.name] for one in fields(group)})
            for name, group in groups.items()
        }
        if with_session:
            with Session(as_json=given["as_json"]) as session:
                function(session, **options)
        else:
            function(**options)

    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return run


def _parameter(one: Field[Any], kind: Any, panel: str | None) -> Parameter:
    """Return a field as the parameter that Typer makes an option or an argument of."""
    settings = {"rich_help_panel": panel, **one.metadata}
    if "parser" in settings:
        # Typer would read a tuple from several arguments.
        kind, settings["parser"] = str, _reader(settings["parser"])
    if settings.pop("positional", False):
        made = typer.Argument(**settings)
    else:
        name = one.name.removesuffix("_s").removesuffix("_bytes").replace("_", "-")
        made = typer.Option(*settings.pop("names", [f"--{name}"]), **settings)
    default = Parameter.empty if one.default is MISSING else one.default
    return Parameter(one.name, _KEYWORD, default=default, annotation=Annotated[kind, made])


def _reader(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        try:
            # Typer reads defaults, too.
            return parse(value) if isinstance(value, str) else value
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return read

"""All commands, and the one place where their errors become a message and an exit status.

Heavy modules are imported by the commands that need them.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from edgesim.cli import catalogs, nodes, partition, profile, run, scenarios, sweep, trace
from edgesim.cli.session import command
from edgesim.common.errors import EdgesimError
from edgesim.common.failure import leave, report_error
from edgesim.common.interrupts import quit_at_once
from edgesim.common.text import visible
from edgesim.version import __version__


class _PlainHelp:
    """Tells no type of the option that shows the help."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.metavar = ""
        return option


class _Group(_PlainHelp, typer.core.TyperGroup):
    pass


class _Command(_PlainHelp, typer.core.TyperCommand):
    pass


app = typer.Typer(
    name="edgesim",
    cls=_Group,
    help="What happens if a vision model is split over these boards, or run on light?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
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


for _each in (
    scenarios.init,
    scenarios.check,
    run.run,
    partition.partition,
    partition.evaluate,
    trace.trace,
    catalogs.models,
    catalogs.devices,
    run.report,
    scenarios.schema,
    nodes.keys,
    nodes.node,
    nodes.deploy,
    sweep.sweep,
    profile.profile,
):
    app.command(cls=_Command)(command(_each))


def main() -> NoReturn:
    """Run the command line; every failure ends in one message and an exit status."""
    quit_at_once()
    # gRPC reads it when it is imported: its own lines must not stand between ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A letter that the locale lacks becomes a question mark.
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
        # The program that reads the output has ended, as in `edgesim models | head`.
        leave(1)
    except OSError as error:
        # Errors of files that a command reads or writes have their own messages: this is stdout.
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
"""Status that Typer returns after a KeyboardInterrupt."""
# Typer does not export it, and takes it from click or from its own copy of click, by version.
_UsageError: type[Any] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "edgesim"
    text = str(error.format_message())
    if hasattr(error.__cause__, "errors"):
        # Typer passes on what pydantic says of a value.
        from edgesim.common.validation import problems

        said = error.__cause__.errors()[0]["msg"]
        text = text.replace(said, problems(error.__cause__, object)[0].message)
    text = text.rstrip(".")
    return f"{text[:1].lower()}{text[1:]}; `{command} --help` shows the usage"


def _fail(message: str, status: int) -> NoReturn:
    try:
        report_error(message, status)
    except OSError:
        # stdout failed; stderr may still be read.
        if sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"edgesim: {visible(message)}\n")
    leave(status)

"""``edgesim profile``: what it takes. What it does is in :mod:`edgesim.calibrate.profile`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesim.cli.session import Json, show, shown_if_lost
from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extras import require

if TYPE_CHECKING:
    from edgesim.calibrate.profile.options import Options


def profile(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.yaml", help="To write.")],
    artifact: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Time the parts and the fusion of an artifact too."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Time a whole Vision Transformer too; repeatable."),
    ] = None,
    device: Annotated[str, typer.Option(metavar="cpu|cuda", help="To measure.")] = "cpu",
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Of torch.")] = 1,
    cpus: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Processors of the node, such as 0-2,5."),
    ] = None,
    precision: Annotated[
        str, typer.Option(metavar="NAME", help="Of operators: fp32, fp16 or bf16.")
    ] = "fp32",
    batch: Annotated[str, typer.Option(metavar="LIST", help="Images at once, of models.")] = "1",
    power: Annotated[
        str | None,
        typer.Option(metavar="idle=W,busy=W", help="Draw, where no meter of the system tells it."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", metavar="", help="Measure less, in half a minute.")
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", metavar="", help="Messages without TLS.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure this machine: operators, models, messages, draw. Writes a device for scenarios."""
    from edgesim.common.interrupts import Held
    from edgesim.common.progress import Bar

    require("`edgesim profile`", "profile")
    from edgesim.calibrate.profile.options import Options
    from edgesim.calibrate.profile.power import told_power
    from edgesim.serve.machine import processors

    try:
        watts = told_power(power) if power is not None else None
    except ValueError as error:
        raise InputError(f"--power: {error}") from None
    options = Options(
        out=out,
        artifact=artifact,
        models=tuple(model or ()),
        device=device,
        threads=threads,
        cpus=processors(cpus) if cpus is not None else None,
        precision=precision,
        batches=_batches(batch),
        quick=quick,
        plain=plain,
        power=watts,
    )
    _check(options, cpus)
    _check_writable(out)
    # Only now what takes seconds to load.
    from edgesim.calibrate.profile import device_yaml, table
    from edgesim.calibrate.profile.profile import measure

    with Held() as held, Bar(what="steps", held=held) as bar:
        found = measure(options, bar.update)
    document = table.document(found)
    tables = partial(table.show, document)
    with shown_if_lost(tables, as_json=as_json):
        device_yaml.write(found, out)
    show(document, tables, as_json=as_json)
    typer.echo(f"Wrote {out}. In a scenario: device: {_as_named(out)}", err=as_json)


def _check_writable(path: Path) -> None:
    """Find out before minutes are spent whether a file can be written.

    Raises:
        EdgesimError: it cannot.
    """
    import tempfile

    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder; name a file")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EdgesimError(f"cannot write {path}: {error.strerror or error}") from None


def _as_named(out: Path) -> str:
    text = str(out)
    return text if "/" in text else f"./{text}"


def _check(options: Options, cpus: str | None) -> None:
    """Check the options before anything is measured; ``cpus`` as they were given.

    Raises:
        InputError: one is wrong.
    """
    from edgesim.calibrate.profile.machine import usable

    served = options.artifact is not None or options.models
    if options.out.suffix not in (".yaml", ".yml"):
        raise InputError(f"--out: expected a file that ends in .yaml, got {options.out}")
    if options.device not in ("cpu", "cuda"):
        raise InputError(f"--device: expected cpu or cuda, got {options.device!r}")
    if options.precision not in ("fp32", "fp16", "bf16"):
        raise InputError(f"--precision: expected fp32, fp16 or bf16, got {options.precision!r}")
    if options.cpus is not None and not options.cpus <= set(usable()):
        there = ",".join(map(str, usable()))
        raise InputError(f"--cpus: there is no {cpus}; this process may use {there}")
    if options.precision != "fp32" and served:
        raise InputError(
            f"--precision: parts and models of nodes are fp32, not {options.precision}"
        )
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise InputError("--device cuda: torch finds no GPU here; leave it out for the CPU")
        if served:
            raise InputError(
                "--device cuda: nodes compute on the CPU; leave artifact and models out"
            )
    if options.models:
        from edgesim.calibrate.profile.model_artifact import known

        for name in options.models:
            known(name)
    if options.artifact is not None:
        from edgesim import artifact

        artifact.load(options.artifact)


def _batches(text: str) -> tuple[int, ...]:
    pieces = [piece.strip() for piece in text.split(",")]
    if not all(one.isascii() and one.isdigit() and 0 < int(one) <= 1024 for one in pieces):
        raise InputError(f"--batch: expected numbers from 1 to 1024 such as 1,2,4, got {text!r}")
    return tuple(dict.fromkeys(map(int, pieces)))


def add_to(app: typer.Typer) -> None:
    """Let ``app`` have this command."""
    app.command()(profile)

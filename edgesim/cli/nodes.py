"""The commands of real nodes: what they take. What they do is in :mod:`edgesim.serve`."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgesim.cli.session import File, Json, Settings, print_json, show, stop
from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extras import require

if TYPE_CHECKING:
    from edgesim.common.progress import Progress
    from edgesim.hardware import Device
    from edgesim.results.result import Result
    from edgesim.scenario import Scenario
    from edgesim.serve.settings import Settings as NodeSettings

Plain = Annotated[
    bool,
    typer.Option("--plain", metavar="", help="No TLS, on this machine only; admins use a token."),
]
ClientKeys = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Real nodes: the client's keys.")
]
Deadline = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Real nodes: for a part to answer.", show_default="5 s"),
]
Tries = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Real nodes: to ask a part.", show_default="3"),
]
Hedge = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Real nodes: ask a part that has not answered by then once more.",
        show_default="never",
    ),
]
FaultsBy = Annotated[
    str | None,
    typer.Option(
        metavar="PROGRAM",
        help="Real nodes: breaks them as the scenario's schedule of faults says; takes an order "
        "on each line of its input (see `python -m edgesim.serve.faults.local`).",
        show_default="nobody",
    ),
]
Health = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Real nodes: between checks.", show_default="1 s"),
]

Loads = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="--mode both: shares of capacity, or 'scenario' for its own rate.",
        show_default="0.1,0.5,0.9",
    ),
]


def keys(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; may hold some.")],
    hosts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[HOST ...]", help="Of nodes.", show_default="localhost"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a test certificate authority, and keys for nodes, clients and the admin."""
    require("`edgesim keys`", "node")
    from edgesim.serve.keys import make_keys

    made = make_keys(directory, hosts or ["localhost"])
    if as_json:
        print_json({"folders": [str(path) for path in made]})
    told = "\n".join(f"Wrote {path}" for path in made) or f"{directory} has them all already"
    typer.echo(told, err=as_json)


def node(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Of inference.")],
    store: Annotated[Path, typer.Option(metavar="DIR", help="For the node's files.")],
    keys: Annotated[
        Path, typer.Option(metavar="DIR", help="The node's keys (see `edgesim keys`).")
    ],
    admin: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Of the admin service.", show_default="1000 ports higher"
        ),
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Of Prometheus metrics.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="In logs.", show_default="the host's")
    ] = None,
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Of torch.")] = 1,
    cpus: Annotated[
        str | None, typer.Option(metavar="LIST", help="Processors to stay on, such as 0-2,5.")
    ] = None,
    batch: Annotated[
        int, typer.Option(metavar="N", min=1, help="Requests that one execution takes together.")
    ] = 1,
    batch_wait: Annotated[
        str, typer.Option(metavar="TIME", help="How long to wait for a fuller batch.")
    ] = "0 s",
    queue: Annotated[int, typer.Option(metavar="N", min=1, help="Requests that may wait.")] = 64,
    memory: Annotated[
        str | None, typer.Option(metavar="BYTES", help="That weights may take, such as 512 MiB.")
    ] = None,
    max_message: Annotated[str, typer.Option(metavar="BYTES", help="Largest request.")] = "16 MiB",
    drain: Annotated[
        str, typer.Option(metavar="TIME", help="To answer what is left when told to end.")
    ] = "30 s",
    emulate: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE", help="Take as long as this device would, or longer: a name or a file."
        ),
    ] = None,
    plain: Plain = False,
    any_client: Annotated[
        bool,
        typer.Option("--any-client", metavar="", help="Clients need no certificate to infer."),
    ] = False,
    anywhere: Annotated[
        bool,
        typer.Option(
            "--insecure-listen-anywhere",
            metavar="",
            help="Answer other machines without TLS: everyone there may ask and read along.",
        ),
    ] = False,
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", help="debug tells of every request.")
    ] = "info",
) -> None:
    """Serve parts of a model over gRPC (Open Inference Protocol v2) until told to end."""
    require("`edgesim node`", "torch-node")
    from edgesim.serve.machine import processors
    from edgesim.serve.settings import Settings

    if log_level not in ("debug", "info", "warning", "error"):
        raise InputError(f"expected --log-level debug, info, warning or error, got {log_level!r}")
    settings = Settings(
        listen=listen,
        store=store,
        keys=keys,
        name=name or platform.node() or "node",
        admin=admin,
        metrics=metrics,
        plain=plain,
        any_client=any_client,
        insecure_listen_anywhere=anywhere,
        threads=threads,
        cpus=processors(cpus) if cpus is not None else None,
        batch_max=batch,
        batch_wait_s=_quantity("batch-wait", batch_wait, "time"),
        queue=queue,
        max_message_bytes=round(_quantity("max-message", max_message, "bytes")),
        memory_bytes=round(_quantity("memory", memory, "bytes")) if memory is not None else None,
        drain_s=_quantity("drain", drain, "time"),
        emulate=_device(emulate) if emulate is not None else None,
    )
    if not _serve(settings, log_level):
        raise EdgesimError(f"some requests were not answered within {drain}")


def _serve(settings: NodeSettings, log_level: str) -> bool:
    """Be a node until told to end; return whether all that had come was answered.

    Raises:
        InputError: the settings or the keys are wrong.
        EdgesimError: it cannot listen, use its store, or stay on its processors.
    """
    import asyncio

    from edgesim.serve.machine import pin

    if settings.cpus is not None:
        # Before any thread is there: those that exist would stay where they are.
        pin(settings.cpus)
    _quiet()
    from edgesim.serve.access import read_access
    from edgesim.serve.manifest import read_public_key
    from edgesim.serve.store import Store

    access = read_access(settings.keys, plain=settings.plain)
    trusted = read_public_key(settings.keys / "manifest.pub")
    with Store(settings.store) as store:
        # Only now what takes a second to load.
        from edgesim.serve import logs
        from edgesim.serve.node import Node

        async def run() -> bool:
            return await Node(settings, access, trusted, store, logs.start(log_level)).run()

        return asyncio.run(run())


def deploy(
    file: File,
    artifact: Annotated[
        Path, typer.Argument(metavar="ARTIFACT", help="Folder that `edgesim partition` wrote.")
    ],
    keys: Annotated[Path, typer.Option(metavar="DIR", help="The admin's keys.")],
    admin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NODE=HOST:PORT",
            help="Admin service of a node, where it is not 1000 ports higher; repeatable.",
        ),
    ] = None,
    settings: Settings = None,
    patience: Annotated[
        str, typer.Option(metavar="TIME", help="To go on asking a node that does not answer.")
    ] = "30 s",
    plain: Plain = False,
    as_json: Json = False,
) -> None:
    """Push the parts of an artifact to the nodes of a scenario, and let them serve those."""
    require("`edgesim deploy`", "node")
    import asyncio
    import random

    from edgesim.serve.addresses import split_address
    from edgesim.serve.targets import find_targets

    patience_s = _quantity("patience", patience, "time")
    addresses = {}
    for text in admin or ():
        name, _, address = text.partition("=")
        split_address(address)
        addresses[name] = address
    targets = find_targets(file, artifact, settings=settings or (), admin=addresses)
    _quiet()
    from edgesim.serve import deploy, deploy_table
    from edgesim.serve.access import read_access

    access = read_access(keys, plain=plain)
    parcel = deploy.pack(artifact, keys)
    for target in targets.real:
        for model in target.models:
            parcel.entry(model)
    with deploy_table.Bars() as bars:
        rows = asyncio.run(
            deploy.deploy(
                targets.real,
                parcel,
                access,
                patience_s=patience_s,
                progress=bars,
                # Nothing depends on these pauses but when a node is asked again.
                generator=random.Random(os.getpid()),
            )
        )
    document = {
        "scenario": targets.scenario,
        "nodes": [row.document() for row in rows],
        "simulated": list(targets.simulated),
    }
    show(document, partial(deploy_table.show, rows, targets.simulated), as_json=as_json)
    failed = [row.node for row in rows if row.state == "failed"]
    if failed:
        stop(f"not deployed to {', '.join(failed)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """What the command line says of real nodes.

    Attributes:
        asked: the first option that was given; empty where none was.
    """

    asked: str
    keys: Path | None
    plain: bool
    settings: dict[str, float]
    tries: int | None
    faults_by: tuple[str, ...]

    def run(self, scenario: Scenario, *, trace_requests: int, progress: Progress) -> Result:
        """Play a scenario on its nodes.

        Raises:
            InputError: keys are missing, or the scenario is not one for real nodes.
            EdgesimError: a node is not ready.
        """
        self._check_keys("real")
        _quiet()
        from edgesim.serve.access import Access, read_access
        from edgesim.serve.coordinator.policy import Policy
        from edgesim.serve.coordinator.run import run

        policy = Policy.of(scenario.recovery, self.settings, self.tries)
        if self.keys is None:
            access = Access(folder=Path(), plain=True, ca=b"", certificate=b"", key=b"", token="")
        else:
            access = read_access(self.keys, plain=self.plain)
        return run(
            scenario,
            access,
            policy,
            trace_requests=trace_requests,
            faults_by=self.faults_by,
            progress=progress,
        )

    def compare(
        self,
        scenario: Scenario,
        loads: str | None,
        directory: Path,
        *,
        trace_requests: int,
        as_json: bool,
    ) -> None:
        """Predict and measure a scenario, print both, and write them to ``directory``.

        Raises:
            InputError: keys are missing, the loads are none, or the scenario is not one for real
                nodes.
            EdgesimError: a node is not ready; the loads that were finished are written.
        """
        self._check_keys("both")
        _quiet()
        from edgesim.cli import both
        from edgesim.serve.coordinator.policy import Policy

        recovery = Policy.of(scenario.recovery, self.settings, self.tries).simulated()
        both.compare(
            scenario,
            loads,
            self.run,
            recovery,
            directory,
            trace_requests=trace_requests,
            as_json=as_json,
        )

    def _check_keys(self, mode: str) -> None:
        require(f"--mode {mode}", "torch-node")
        if self.keys is None and not self.plain:
            raise InputError(
                f"--mode {mode} needs --keys DIR, the client's keys (see `edgesim keys`), or "
                "--plain where all nodes are on this machine without TLS"
            )


def player(
    keys: Path | None,
    deadline: str | None,
    tries: int | None,
    hedge: str | None,
    health: str | None,
    *,
    plain: bool,
    faults_by: str | None = None,
) -> Player:
    """Return what options say of real nodes.

    Raises:
        InputError: one is no time, or none that can be.
    """
    times = {"deadline": deadline, "hedge": hedge, "health": health}
    given = {
        "keys": keys, "plain": plain or None, "tries": tries, "faults-by": faults_by, **times
    }  # fmt: skip
    settings = {
        name: _quantity(name, text, "time") for name, text in times.items() if text is not None
    }
    for name, value in settings.items():
        if value == 0:
            raise InputError(f"--{name}: expected more than 0, got {times[name]}")
    return Player(
        asked=next((f"--{name}" for name, value in given.items() if value is not None), ""),
        keys=keys,
        plain=plain,
        settings=settings,
        tries=tries,
        faults_by=_words(faults_by),
    )


def _quiet() -> None:
    """Keep gRPC's own lines from standing between ours, which programs read."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _words(program: str | None) -> tuple[str, ...]:
    import shlex

    if program is None:
        return ()
    try:
        words = tuple(shlex.split(program))
    except ValueError as error:
        raise InputError(f"--faults-by: {error}, in {program[:80]}") from None
    if not words:
        raise InputError("--faults-by: expected a program, got nothing")
    return words


def _device(text: str) -> Device:
    """Return a device of the catalog, or of a file such as `edgesim profile` writes."""
    from edgesim.scenario.named_files import find_device

    return find_device(text)


def _quantity(option: str, text: str, dimension: str) -> float:
    from edgesim.common import units

    try:
        value = units.parse(text, dimension)
    except ValueError as error:
        raise InputError(f"--{option}: {error}") from None
    if value < 0:
        raise InputError(f"--{option}: expected no less than 0, got {text}")
    return value


def add_to(app: typer.Typer) -> None:
    """Let ``app`` have these commands."""
    for command in (keys, node, deploy):
        app.command()(command)

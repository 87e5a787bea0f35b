"""Commands of real nodes: their keys, their server, and the models that they serve."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from edgesim.cli.session import FileOptions, Session
from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.extras import require
from edgesim.common.options import argument, flag, option, quantity
from edgesim.common.text import duration, visible
from edgesim.serve.addresses import split_address
from edgesim.serve.options import DEFAULT_ADMIN, NodeOptions


@dataclass(frozen=True, kw_only=True)
class KeysOptions:
    """For whom keys are made, and where."""

    directory: Path = argument("DIR", "Folder to write to; keys that it holds are kept.")
    hosts: list[str] | None = argument(
        "HOST", "Names or addresses of nodes.", None, show_default="localhost"
    )


@dataclass(frozen=True, kw_only=True)
class DeployOptions(FileOptions):
    """What is deployed, and how nodes are reached."""

    artifact: Path = argument("ARTIFACT", "Folder that `edgesim partition` wrote.")
    keys: Path = option("DIR", "Folder with the admin's keys (`edgesim keys`).")
    admin: list[str] | None = option(
        "NODE=HOST:PORT",
        "Address of a node's admin service; repeatable.",
        None,
        show_default=DEFAULT_ADMIN,
    )
    patience_s: float = option(
        "TIME",
        "Time to go on asking a node that does not answer.",
        30.0,
        parser=quantity("time"),
        show_default="30 s",
    )
    plain: bool = flag("Use no TLS, on this machine only; the token replaces the certificate.")


def keys(session: Session, options: KeysOptions) -> None:
    """Make a test certificate authority, and keys for nodes, clients and the admin."""
    require("`edgesim keys`", "node")
    from edgesim.serve.keys import make_keys

    made = [str(path) for path in make_keys(options.directory, options.hosts or ["localhost"])]
    session.finish({"folders": made})
    lines = [f"Wrote {path}" for path in made]
    lines = lines or [f"{options.directory} holds all of these keys already"]
    typer.echo(visible("\n".join(lines)), err=session.as_json)


def node(options: NodeOptions) -> None:
    """Serve parts of a model over gRPC (Open Inference Protocol v2) until SIGTERM or Ctrl-C."""
    require("`edgesim node`", "torch-node")
    from edgesim.serve.machine import pin

    if options.cpus is not None:
        # Before any thread is there: those that exist would stay where they are.
        pin(options.cpus)
    from edgesim.serve.access import read_access
    from edgesim.serve.manifest import read_public_key
    from edgesim.serve.store import Store

    access = read_access(options.keys, plain=options.plain)
    trusted = read_public_key(options.keys / "manifest.pub")
    with Store(options.store) as store:
        # Only now what takes a second to load.
        from edgesim.serve import telemetry
        from edgesim.serve.node import Node

        async def run() -> bool:
            logger = telemetry.start(options.log_level)
            return await Node(options, access, trusted, store, logger).run()

        all_answered = asyncio.run(run())
    if not all_answered:
        raise EdgesimError(f"some requests were not answered within {duration(options.drain_s)}")


def deploy(session: Session, options: DeployOptions) -> None:
    """Push the parts of an artifact to the nodes of a scenario, and let them serve those."""
    require("`edgesim deploy`", "node")
    from edgesim.serve import deploy
    from edgesim.serve.access import read_access
    from edgesim.serve.coordinator.work import find_targets

    access = read_access(options.keys, plain=options.plain)
    # Before the scenario, whose messages would be of its model.
    package = deploy.pack(options.artifact, options.keys)
    targets = find_targets(
        options.file,
        options.artifact,
        settings=options.overrides or (),
        admin=dict(map(_node_address, options.admin or ())),
    )
    for target in targets.real:
        for model in target.models:
            package.manifest.entry(model)
    with deploy.Bars() as bars:
        rows = asyncio.run(
            deploy.deploy(
                targets.real,
                package,
                access,
                patience_s=options.patience_s,
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
    failed = [row for row in rows if row.state == "failed"]
    session.finish(
        document,
        partial(deploy.show, rows, targets.simulated),
        failure=f"not deployed to {', '.join(row.node for row in failed)}" if failed else "",
        status=2 if any(row.wrong_input for row in failed) else 1,
    )


def _node_address(text: str) -> tuple[str, str]:
    name, equals, address = text.partition("=")
    if not equals or not name:
        raise InputError(f"--admin: expected NODE=HOST:PORT, got {text!r}")
    split_address(address)
    return name, address

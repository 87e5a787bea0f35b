"""What the commands of real nodes do."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgesim.common.progress import Progress
    from edgesim.results.result import Result
    from edgesim.scenario import Scenario
    from edgesim.serve.deploy import Row
    from edgesim.serve.settings import Settings
    from edgesim.serve.targets import Targets


def host_name() -> str:
    """Return the name of this machine."""
    return platform.node() or "node"


def serve(settings: Settings, log_level: str) -> bool:
    """Be a node until told to end; return whether all that had come was answered.

    Raises:
        InputError: the settings or the keys are wrong.
        EdgesimError: it cannot listen, use its store, or stay on its processors.
    """
    from edgesim.serve.machine import pin

    if settings.cpus is not None:
        # Before any thread is there: those that exist would stay where they are.
        pin(settings.cpus)
    # gRPC's own lines would stand between those that programs read.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
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


def push(
    file: Path,
    artifact: Path,
    keys: Path,
    *,
    plain: bool,
    settings: Sequence[str],
    admin: Sequence[str],
    patience_s: float,
) -> tuple[Targets, list[Row]]:
    """Deploy an artifact to the real nodes of a scenario; return what came of each.

    Raises:
        InputError: scenario, artifact, keys or addresses are wrong.
    """
    import random

    from edgesim.serve.addresses import split_address
    from edgesim.serve.targets import find_targets

    addresses = {}
    for text in admin:
        name, _, address = text.partition("=")
        split_address(address)
        addresses[name] = address
    targets = find_targets(file, artifact, settings=settings, admin=addresses)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from edgesim.serve import deploy
    from edgesim.serve.access import read_access
    from edgesim.serve.deploy_table import Bars

    access = read_access(keys, plain=plain)
    parcel = deploy.pack(artifact, keys)
    for target in targets.real:
        for model in target.models:
            parcel.entry(model)
    with Bars() as bars:
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
    return targets, rows


def coordinate(
    scenario: Scenario,
    keys: Path | None,
    *,
    plain: bool,
    settings: Mapping[str, float],
    tries: int | None,
    faults_by: Sequence[str],
    trace_requests: int,
    progress: Progress,
) -> Result:
    """Play a scenario on its real nodes.

    Args:
        scenario: from `edgesim.api.load`.
        keys: folder of the client's keys; None where ``plain``.
        plain: without TLS.
        settings: seconds of ``deadline``, ``hedge`` and ``health``, where they are given.
        tries: of one part, where given.
        faults_by: program that breaks nodes and links as the scenario has it.
        trace_requests: how many leading requests leave spans.
        progress: told how far it is.

    Raises:
        InputError: the keys are wrong, or the scenario is not one for real nodes.
        EdgesimError: a node is not ready.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from edgesim.serve.access import Access, read_access
    from edgesim.serve.coordinator.policy import Policy
    from edgesim.serve.coordinator.run import run

    policy = Policy.of(scenario.recovery, settings, tries)
    if keys is None:
        access = Access(folder=Path(), plain=True, ca=b"", certificate=b"", key=b"", token="")
    else:
        access = read_access(keys, plain=plain)
    return run(
        scenario,
        access,
        policy,
        trace_requests=trace_requests,
        faults_by=faults_by,
        progress=progress,
    )

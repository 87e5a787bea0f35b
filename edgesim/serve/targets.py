"""Which models of an artifact go to which real node of a scenario."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgesim import api
from edgesim.common.errors import InputError, nearest
from edgesim.serve.options import admin_address


@dataclass(frozen=True, slots=True)
class Target:
    """One real node.

    Attributes:
        node: name in the scenario.
        address: HOST:PORT of inference.
        admin: HOST:PORT of its admin service.
        models: that it shall serve, by name.
    """

    node: str
    address: str
    admin: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """The real nodes of a scenario, and those that are not.

    Attributes:
        scenario: its name.
        real: nodes with an address, in the order of the file.
        simulated: names of nodes that hold models and have no address.
    """

    scenario: str
    real: tuple[Target, ...]
    simulated: tuple[str, ...]


def find_targets(
    file: Path,
    artifact: Path,
    *,
    settings: Sequence[str] = (),
    admin: Mapping[str, str] | None = None,
) -> Targets:
    """Place an artifact on the nodes of a scenario.

    Args:
        file: the scenario.
        artifact: folder, in place of the one that the scenario names.
        settings: ``key.path=value`` that replace what the file says.
        admin: addresses of admin services that are not 1000 ports above inference, by node.

    Raises:
        InputError: the scenario or the artifact is wrong, no node has an address, or the placement
            has tasks that are no models of an artifact.
    """
    # A quoted string, so that no character of a path means anything to YAML.
    chosen = f"model.artifact={json.dumps(str(artifact.resolve()))}"
    scenario = api.load(file, overrides=[*settings, chosen])
    plan = api.place(scenario)
    held: dict[str, list[str]] = {}
    for task in (task for branch in plan.branches for task in branch.tasks):
        if not task.optional and task.kind != "fusion":
            raise InputError(
                f"{file}: '{plan.strategy}' places the unsplit model, whose weights are not in "
                "the artifact; use 'placement: {strategy: class-wise}'"
            )
        models = held.setdefault(task.node, [])
        if task.name not in models:
            models.append(task.name)
    nodes = scenario.cluster.nodes
    others = dict(admin or {})
    for name in others:
        if name not in nodes:
            raise InputError(f"--admin: no node '{name}'{nearest(name, list(nodes))}")
    real = tuple(
        Target(
            name, node.address, others.get(name) or admin_address(node.address), tuple(held[name])
        )
        for name, node in nodes.items()
        if node.address is not None and name in held
    )
    if not real:
        raise InputError(
            f"{file}: no node that holds a part has an address; "
            "give nodes one, such as 'address: 127.0.0.1:50051'"
        )
    placed = {target.node for target in real}
    return Targets(scenario.name, real, tuple(name for name in held if name not in placed))

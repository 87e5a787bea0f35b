"""What a real run asks of which node: the parts of an artifact, and their fusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgesim.artifact import PRECISION
from edgesim.common.errors import InputError
from edgesim.placement import Plan
from edgesim.scenario.scenario import Scenario

if TYPE_CHECKING:
    from partition import TrainedManifest

_VERSION_DIGITS = 12
"""Of a file's hash, that nodes tell as the version of a model."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One model on its node.

    Attributes:
        name: of the model and of its task.
        node: name in the scenario.
        version: that the node must have, so that no other artifact answers.
    """

    name: str
    node: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What every request asks.

    Attributes:
        parts: in the order of the artifact.
        fusion: of their features.
        addresses: HOST:PORT of every node that has one of these.
        home: node of the network that the coordinator stands for.
        shape: (channels, height, width) of an image.
        classes: that the fusion tells apart.
        manifest: of the artifact; None for one that nothing was trained for.
    """

    parts: tuple[Piece, ...]
    fusion: Piece
    addresses: Mapping[str, str]
    home: str
    shape: tuple[int, int, int]
    classes: int
    manifest: TrainedManifest | None

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Return parts and fusion."""
        return (*self.parts, self.fusion)


def find_work(scenario: Scenario, plan: Plan) -> Work:
    """Return what a scenario asks of its real nodes.

    Raises:
        InputError: its model is no artifact, its plan is not of the artifact's parts, it asks for
            another precision than theirs, or a node that takes part has no address.
    """
    artifact = scenario.placement.model.artifact
    if artifact is None:
        raise InputError(
            "real nodes serve trained parts, and the model is no artifact; "
            "make one with `edgesim partition`, and name it: model: {artifact: DIR}"
        )
    if plan.details.get("artifact") != artifact.name:
        raise InputError(
            f"'{plan.strategy}' places the unsplit model, whose weights are not in the artifact; "
            "use 'placement: {strategy: class-wise}'"
        )
    if plan.precision != PRECISION:
        raise InputError(
            f"model.precision: nodes compute in {PRECISION}, and the scenario says "
            f"{plan.precision}; leave it out for a real run"
        )
    manifest = artifact.manifest
    assert manifest is not None, "it was loaded from a folder"
    pieces = {}
    for task in plan.branches[0].tasks:
        entry = manifest.fusion if task.part is None else manifest.parts[task.part]
        version = manifest.files[entry.file][:_VERSION_DIGITS]
        pieces[task.name] = Piece(task.name, task.node, version)
    names = list(dict.fromkeys(piece.node for piece in pieces.values()))
    nodes = scenario.cluster.nodes
    lacking = [name for name in names if nodes[name].address is None]
    if lacking:
        told = ", ".join(f"'{name}'" for name in lacking)
        raise InputError(
            f"no address of {told}; in a real run every node that holds a part or the fusion "
            "needs one, such as 'address: 127.0.0.1:50051'"
        )
    fusion = pieces.pop("fusion")
    shape = manifest.parts[0].config
    return Work(
        parts=tuple(pieces.values()),
        fusion=fusion,
        addresses={name: str(nodes[name].address) for name in names},
        home=plan.input_node or fusion.node,
        shape=(shape.channels, shape.image, shape.image),
        classes=artifact.classes,
        manifest=manifest,
    )

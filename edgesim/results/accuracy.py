"""Accuracy of a run's answers: as measured for the artifact, for the parts that answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgesim.artifact import PRECISION, Artifact
from edgesim.artifact import Accuracy as Measured
from edgesim.hardware import Device
from edgesim.placement import Plan
from edgesim.results.metrics import Metric, Section
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Outcome, Recording

if TYPE_CHECKING:
    from partition.schema import LightEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Accuracy of answers.

    Attributes:
        top1: share of right answers among the answered requests. Each counts with the accuracy
            that the artifact's table gives for the parts that it was answered from; on real nodes
            it is measured. None where it is not known.
        top1_expected: share by the table, on real nodes.
        top1_all_parts: when nothing is missing.
        top1_unsplit: share of the unsplit model.
        dataset: name of the data that it was measured on.
        samples: images of it.
        by_parts: shares on real nodes, by which parts answered: ``1011`` lacks part 1.
        light: operating point of the light that the layers ran on; None without light.
    """

    top1: float | None
    top1_all_parts: float
    top1_unsplit: float
    dataset: str
    samples: int
    top1_expected: float | None = None
    by_parts: Mapping[str, Mapping[str, float]] | None = None
    light: str | None = None


_REAL_ONLY = "simulated"
_BY_PARTS: tuple[Metric[Mapping[str, float]], ...] = (
    Metric("requests", "", "Requests that these parts answered.", kind="whole"),
    Metric("top1", "", "Measured share of right answers.", kind="share"),
    Metric("top1_expected", "", "Share of right answers by the artifact's table.", kind="share"),
)


def accuracy_text(share: float | None) -> str:
    """Return a share of right answers in hundredths of a point, such as ``91.52 %``."""
    return "-" if share is None else f"{100 * share:.2f} %"


_ACCURACY: tuple[Metric[Accuracy] | Section[Accuracy], ...] = (
    Metric("top1", "", "Share of right answers among the answered requests: by the artifact's "
           "table for the parts that answered, measured on real nodes.", kind="share",
           null="it is not known which parts answered", heading="accuracy",
           places=("notebook", "compared"), card=6, form=accuracy_text),
    Metric("top1_expected", "",
           "Share of right answers by the artifact's table, for the parts that answered.",
           kind="share", optional=True, null=_REAL_ONLY, column=False),
    Metric("top1_all_parts", "", "Share of right answers when no part is missing.", kind="share"),
    Metric("top1_unsplit", "", "Share of right answers of the unsplit model.", kind="share"),
    Metric("dataset", "", "Data that the accuracy was measured on.", kind="text", column=False),
    Metric("samples", "", "Images that the accuracy was measured on.", kind="whole", column=False),
    Metric("light", "", "Operating point of the light that the shares were measured on.",
           kind="text", optional=True, null="no layer ran on light", column=False),
    Section("by_parts", "The same by which parts answered: `1011` lacks part 1.", _BY_PARTS,
            lambda one: one.by_parts, each="set of parts", optional=True, null=_REAL_ONLY),
)  # fmt: skip
ACCURACY: Section[Accuracy | None] = Section(
    "accuracy", "Accuracy of the answers.", _ACCURACY,
    null="the model is no artifact, or its precision is another than it was measured in",
)  # fmt: skip


def expected(
    scenario: Scenario, plan: Plan, recordings: Sequence[Recording]
) -> tuple[Accuracy | None, list[str]]:
    """Return the accuracy of a simulation's answers, and warnings about it.

    None where the model is no artifact, or runs in another precision than its accuracy was measured
    in.
    """
    artifact = scenario.placement.model.artifact
    if artifact is None:
        return None, []
    if plan.precision != PRECISION:
        warning = (
            f"accuracy is not known: '{artifact.name}' was measured in {PRECISION}, and runs in "
            f"{plan.precision} here"
        )
        return None, [warning]
    measured, warnings = _measured(artifact, scenario, plan)
    if measured is None:
        return None, warnings
    split = plan.details.get("artifact") == artifact.name
    whole = measured.top1 if split else measured.top1_unsplit
    parts = {
        task.name: task.part
        for branch in plan.branches
        for task in branch.tasks
        if task.part is not None
    }
    found = Accuracy(
        top1=_expected(measured, recordings, whole, parts),
        top1_all_parts=whole,
        top1_unsplit=measured.top1_unsplit,
        dataset=measured.dataset,
        samples=measured.samples,
        light=measured.point or None,
    )
    degraded = any((recording.outcome == Outcome.DEGRADED).any() for recording in recordings)
    if found.top1 is None and degraded:
        warning = (
            "accuracy is not known: which parts the degraded requests were answered from is not"
        )
        return found, [*warnings, warning]
    return found, warnings


def _measured(
    artifact: Artifact, scenario: Scenario, plan: Plan
) -> tuple[Measured | None, list[str]]:
    """Return the accuracies of the parts where they run, and warnings; None where not known."""
    nodes = scenario.placement.cluster.nodes
    tasks = [task for branch in plan.branches for task in branch.tasks]
    lit = {task.name: nodes[task.node].device.kind == "optical-4f" for task in tasks}
    if not any(lit.values()):
        return artifact.accuracy, []
    light = artifact.manifest.light if artifact.manifest is not None else None
    if artifact.on_light is None or light is None:
        warning = (
            f"accuracy is not known on light: '{artifact.name}' was measured without; give its "
            "recipe a section 'light' and run `edgesim partition` again, which uses finished steps"
        )
        return None, [warning]
    other = next((task.name for task in tasks if lit[task.name] == (task.kind == "fusion")), None)
    if other is not None:
        warning = (
            f"accuracy is not known: '{artifact.name}' was measured with its models on light and "
            f"its fusion off it, and '{other}' is {'on' if lit[other] else 'off'} it here"
        )
        return None, [warning]
    coarse = [
        f"accuracy was measured on light with {artifact.on_light.point}; node '{name}' is "
        f"coarser: {few}"
        for name in sorted({task.node for task in tasks if lit[task.name]})
        if (few := _coarser(nodes[name].device, light))
    ]
    return artifact.on_light, coarse


def _coarser(device: Device, light: LightEntry) -> str:
    """Return which parts of a 4f device have fewer bits than accuracy was measured with."""
    from edgesim.hardware.optical_4f import Optical4F

    assert isinstance(device, Optical4F)
    system = device.system
    bits = {
        "input": (system.input.bits, light.bits),
        "filter": (system.filter.bits, light.bits),
        "camera": (system.camera.bits, light.camera_bits),
    }
    return ", ".join(
        f"its {part} has {has} bits"
        for part, (has, measured) in bits.items()
        if has is not None and (measured is None or has < measured)
    )


def _expected(
    measured: Measured, recordings: Sequence[Recording], whole: float, parts: Mapping[str, int]
) -> float | None:
    """Return the mean accuracy over all answered requests; None where there is none, or unsure.

    ``parts`` has the number of the part that each task runs.
    """
    right, answered = 0.0, 0
    for recording in recordings:
        completed = int((recording.outcome == Outcome.COMPLETED).sum())
        degraded = int((recording.outcome == Outcome.DEGRADED).sum())
        if degraded != sum(recording.missing.values()):
            return None
        right += completed * whole
        for names, requests in recording.missing.items():
            if not names <= set(parts):
                return None
            missing = frozenset(parts[name] for name in names)
            right += requests * measured.without(missing)
        answered += completed + degraded
    return right / answered if answered else None

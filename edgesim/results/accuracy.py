"""How often the answers of a run are right: the artifact's measured accuracy, by who answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgesim.artifact import PRECISION, Artifact
from edgesim.placement import Plan
from edgesim.scenario.scenario import Scenario
from edgesim.simulate import Outcome, Recording


def section(
    scenario: Scenario, plan: Plan, recordings: Sequence[Recording]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the section ``accuracy`` of a summary, and warnings about it.

    The section is None where the model is no artifact, or is played in another precision than its
    accuracy was measured in. ``top1`` is the expected share of right answers among the answered
    requests: each counts with the accuracy that the artifact's table gives for the parts that it
    was answered from. It is None where that is not known. ``top1_all_parts`` is the accuracy when
    nothing is missing.
    """
    artifact = scenario.placement.model.artifact
    if artifact is None:
        return None, []
    if plan.precision != PRECISION:
        told = (
            f"accuracy is not known: '{artifact.name}' was measured in {PRECISION}, and this is "
            f"played in {plan.precision}"
        )
        return None, [told]
    measured = artifact.accuracy
    split = plan.details.get("artifact") == artifact.name
    whole = measured.top1 if split else measured.top1_unsplit
    parts = {
        task.name: task.part
        for branch in plan.branches
        for task in branch.tasks
        if task.part is not None
    }
    top1 = _expected(artifact, recordings, whole, parts)
    found = {
        "top1": top1,
        "top1_all_parts": whole,
        "top1_unsplit": measured.top1_unsplit,
        "dataset": measured.dataset,
        "samples": measured.samples,
    }
    degraded = any((recording.outcome == Outcome.DEGRADED).any() for recording in recordings)
    if top1 is None and degraded:
        told = "accuracy is not known: which parts the degraded requests were answered from is not"
        return found, [told]
    return found, []


def _expected(
    artifact: Artifact, recordings: Sequence[Recording], whole: float, parts: Mapping[str, int]
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
            right += requests * artifact.accuracy.without(missing)
        answered += completed + degraded
    return right / answered if answered else None

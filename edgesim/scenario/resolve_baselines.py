"""Baselines of a scenario: the whole model on one device, by its usual and by its best software."""

from __future__ import annotations

from collections.abc import Iterator

from edgesim.common.validation import Path
from edgesim.hardware import Device
from edgesim.hardware.runtimes import RuntimeChoice, supported, with_runtime
from edgesim.placement import Model
from edgesim.scenario.findings import Findings
from edgesim.scenario.resolve_cluster import resolve_device, resolve_runtime
from edgesim.scenario.scenario import Baseline
from edgesim.scenario.schema import BaselineSpec, ScenarioSpec


def resolve_baselines(
    findings: Findings, spec: ScenarioSpec, model: Model | None
) -> tuple[Baseline, ...]:
    """Return the baselines; of one without a runtime, the fastest published one comes second."""
    found: dict[str, Baseline] = {}
    if {"baselines", "model"} & findings.broken:
        return ()
    for index, one in enumerate(spec.baselines):
        for baseline in _rows(findings, spec, one, index, model):
            if baseline.name in found:
                message = f"two baselines are named '{baseline.name}'; give one another 'name'"
                findings.wrong(("baselines", index), message)
            found[baseline.name] = baseline
    return tuple(found.values())


def _rows(
    findings: Findings, spec: ScenarioSpec, one: BaselineSpec, index: int, model: Model | None
) -> Iterator[Baseline]:
    path: Path = ("baselines", index)
    if spec.model.tasks is not None:
        findings.wrong(path, "a task graph has no whole model to run on one device")
        return
    name = one.name or _device_name(one, index)
    device = resolve_device(findings, (*path, "device"), name, one.device)
    if device is None:
        return
    precision = one.precision or spec.model.precision
    if precision not in device.precisions():
        known = f"it has {', '.join(device.precisions())}; give {{device: …, precision: …}}"
        findings.wrong(path, f"'{name}' does not compute in {precision}; {known}")
        return
    if one.runtime is not None:
        if one.name is None:
            name = f"{name}/{one.runtime.name}"
        chosen = resolve_runtime(findings, (*path, "runtime"), device, one.runtime, precision)
        yield Baseline(name=name, device=chosen, precision=precision, batch=one.batch)
        return
    yield Baseline(name=name, device=device, precision=precision, batch=one.batch)
    if model is not None and model.graph is not None and one.name is None:
        best = _fastest(device, model, precision)
        if best is not device:
            yield Baseline(
                name=f"{name}/{best.runtime}", device=best, precision=precision, batch=one.batch
            )


def _device_name(one: BaselineSpec, index: int) -> str:
    if isinstance(one.device, str):
        return one.device
    base = one.device.get("base")
    return base if isinstance(base, str) else f"baseline-{index}"


def _fastest(device: Device, model: Model, precision: str) -> Device:
    """Return a device with the runtime that runs one sample fastest, of those with known times."""
    graph = model.graph
    assert graph is not None
    others = [
        with_runtime(device, RuntimeChoice(name=name), precision)
        for name, known in supported(device)
        if known == precision and name != device.runtime
    ]
    return min((device, *others), key=lambda one: one.graph_cost(graph, precision).time_s)

"""An artifact is played with its true sizes, and its accuracy follows from who answered."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgesim import api, artifact, scenario
from edgesim.common.errors import InputError, PlanError
from edgesim.results.accuracy import expected
from edgesim.simulate import Recording
from edgesim.simulate.recording import Outcome

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = [EXAMPLES / f"fashion-{parts}" for parts in (1, 2, 3, 5, 10)]

TEXT = """
seed: 3
model: {artifact: fashion-5}
placement: {strategy: class-wise, input: hub, fusion: hub}
nodes:
  pi:  {device: raspberry-pi-4b, count: 5}
  hub: {device: raspberry-pi-5}
network:
  switch: {bandwidth: 1 Gbit/s, latency: 0.25 ms}
traffic: {arrivals: periodic, rate: 2/s, requests: 50}
"""


def load(*settings):
    return scenario.load_text(TEXT, overrides=settings, folder=EXAMPLES)


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_graphs_have_the_sizes_that_torch_counts(folder):
    from partition.config import ViTConfig
    from partition.model import VisionTransformer
    from tests.partition.small import counted_macs

    loaded, manifest = artifact.load(folder), manifest_of(folder)
    for graph, entry in [
        *((part.graph, one) for part, one in zip(loaded.parts, manifest["parts"], strict=True)),
        (loaded.unsplit, manifest["unsplit"]),
    ]:
        config = ViTConfig.from_dict(entry["config"])
        model = VisionTransformer(config)
        assert graph.macs == counted_macs(model, config.channels, config.image)
        assert graph.params == sum(weight.numel() for weight in model.parameters())
        assert graph.input_elements == config.channels * config.image**2
    for part in loaded.parts:
        assert part.feature_elements == len(loaded.parts) ** -1 * manifest["fusion"]["widths"][0]
    assert loaded.accuracy.top1 == manifest["fusion"]["accuracy"]


@pytest.mark.parametrize(
    "changes",
    [
        {"image": (32, 48), "channels": 5},
        {"registers": 3},
        {"class_token": False, "pooling": "mean"},
        {"pre_norm": True, "pooling": "mean-first"},
    ],
)
def test_graphs_of_other_kinds_have_the_sizes_that_torch_counts(changes):
    from partition.config import ViTConfig
    from partition.model import VisionTransformer
    from tests.partition.small import counted_macs

    shape = ViTConfig(**{**_SMALL, **changes})
    model, graph = VisionTransformer(shape), artifact.part_graph("small", shape)
    assert graph.macs == counted_macs(model, shape.channels, shape.image)
    assert graph.params == sum(weight.numel() for weight in model.parameters())
    assert graph.input_elements == shape.channels * math.prod(shape.size)


_SMALL = {
    "image": 32, "patch": 8, "width": 24, "depth": 2, "heads": 3, "head_width": 8,
    "mlp_width": 40, "classes": 5,
}  # fmt: skip


def test_the_plan_is_the_artifact():
    plan = api.place(load())
    tasks = {task.name: task for task in plan.branches[0].tasks}
    entries = manifest_of(EXAMPLES / "fashion-5")["parts"]
    for number, entry in enumerate(entries):
        task = tasks[f"part-{number}"]
        assert task.node == f"pi-{number}"
        assert task.classes == tuple(entry["classes"])
        assert task.graph.weight_bytes("fp32") == entry["bytes"]
    sent = {one.source: one.bytes for one in plan.branches[0].transfers if one.target == "fusion"}
    assert sent == {f"part-{n}": entry["feature_bytes"] for n, entry in enumerate(entries)}
    entering = [one.bytes for one in plan.branches[0].transfers if one.source is None]
    assert entering == [4.0 * 32 * 32] * 5


def test_parts_go_to_the_nodes_that_they_were_fitted_to_and_else_in_turn(monkeypatch):
    loaded = artifact.load(EXAMPLES / "fashion-3")
    names = ["pi-2", "pi-0", "pi-1"]
    fitted = replace(
        loaded,
        parts=tuple(
            replace(part, device=name) for part, name in zip(loaded.parts, names, strict=True)
        ),
    )
    homes = {}
    for title, one in (("free", loaded), ("fitted", fitted)):
        monkeypatch.setattr(artifact, "load", lambda folder, one=one: one)
        plan = api.place(load("nodes.pi.count=3"))
        homes[title] = [task.node for task in plan.branches[0].tasks[:-1]]
    assert homes == {"free": ["pi-0", "pi-1", "pi-2"], "fitted": names}
    two = api.place(load("nodes.pi.count=2"))
    assert [task.node for task in two.branches[0].tasks[:-1]] == ["pi-0", "pi-0", "pi-1"]


def test_whole_strategies_play_the_unsplit_model():
    result = api.run(load("placement={strategy: pipeline}"))
    measured = artifact.load(EXAMPLES / "fashion-5").accuracy
    assert result.summary["accuracy"]["top1"] == measured.top1_unsplit
    macs = sum(task.graph.macs for task in result.plan.branches[0].tasks)
    assert macs == manifest_of(EXAMPLES / "fashion-5")["unsplit"]["macs"]


def test_accuracy_is_the_mean_over_what_answered():
    """One Pi is down for the requests at 10, 10.5, ... 14.5 s: ten of fifty miss one part."""
    survivors = manifest_of(EXAMPLES / "fashion-5")["survivors"]["accuracy"]
    pi = "{device: raspberry-pi-4b}"
    down = "{device: raspberry-pi-4b, faults: {schedule: [{at: 9.9 s, duration: 5 s}]}}"
    nodes = f"nodes={{a: {pi}, b: {pi}, c: {pi}, d: {down}, e: {pi}, hub: {pi}}}"
    result = api.run(load(nodes))
    assert result.summary["requests"]["degraded"] == 10
    assert result.recordings[0].missing == {frozenset({"part-3"}): 10}
    mean = (40 * survivors["11111"] + 10 * survivors["11101"]) / 50
    assert result.summary["accuracy"]["top1"] == pytest.approx(mean, rel=1e-12)
    assert result.summary["accuracy"]["top1_all_parts"] == survivors["11111"]


def _recording(outcomes, missing):
    columns = np.zeros(len(outcomes))
    return Recording(
        arrival_s=columns, latency_s=columns, breakdown_s={}, spans=(), nodes={}, links={},
        outcome=np.array(outcomes, dtype=np.uint8), simulated_s=1.0, missing=missing,
    )  # fmt: skip


def test_accuracy_is_not_guessed():
    loaded = load()
    plan = api.place(loaded)
    unknown = _recording([Outcome.COMPLETED, Outcome.DEGRADED], {})
    found, warnings = expected(loaded, plan, [unknown])
    assert found is not None
    assert found.top1 is None
    assert "which parts" in warnings[0]
    strange = _recording([Outcome.DEGRADED], {frozenset({"part-9"}): 1})
    assert expected(loaded, plan, [strange])[0].top1 is None
    failed = _recording([Outcome.FAILED], {})
    assert expected(loaded, plan, [failed]) == (replace(found, top1=None), [])
    summary = api.run(load("model.precision=int8")).summary
    assert summary["accuracy"] is None
    assert "measured in fp32" in summary["warnings"][0]


def test_subsets_that_were_not_measured_count_as_those_of_their_size():
    measured = artifact.load(EXAMPLES / "fashion-5").accuracy
    few = replace(measured, survivors={"110": 0.5, "011": 0.7, "111": 0.9, "000": 0.1})
    assert few.without(frozenset({0})) == 0.7
    assert few.without(frozenset({1})) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["model.artifact=none"], "3:19.*none is not an artifact.*edgesim partition"),
        (["model.classes=3"], "'classes' is fixed by the artifact"),
        (["placement.heads=2"], "as they were trained"),
        (["placement.submodels=4"], "holds 5, got 4"),
        (["model.name=vit_tiny_patch16_224"], "got 'name' and 'artifact'"),
        (["model.training={seed: 1}"], "got 'artifact' and 'training'"),
        (["model.artifact=", "model.training={seed: 1}"], "run `edgesim partition FILE"),
        (["model.artifact="], "expected one of 'name' .*, got none"),
        (["model.artifact=.."], "not an artifact"),
    ],
)
def test_wrong_sections_are_told(settings, message):
    with pytest.raises(InputError, match=message.removeprefix("3:19.*")):
        load(*settings)


def test_parts_beyond_the_budget_are_refused():
    with pytest.raises(PlanError, match="'part-0' of the artifact takes"):
        api.place(load("placement.memory_budget=100 kB"))
    with pytest.raises(PlanError, match="lacks"):
        api.place(load("nodes.pi.device={kind: processor, peak: {fp32: 1 GFLOP/s}, cores: 1, "
                       "memory: {capacity: 100 kB, bandwidth: 1 GB/s}, "
                       "power: {idle: 1 W, busy: 2 W}}"))  # fmt: skip


@pytest.mark.parametrize("name", ["manifest.json", "part-3.safetensors", "fusion.safetensors"])
def test_a_changed_artifact_is_one_message_and_exit_status_two(tmp_path, name):
    shutil.copytree(EXAMPLES / "fashion-5", tmp_path / "fashion-5")
    (tmp_path / "file.yaml").write_text(TEXT)
    path = tmp_path / "fashion-5" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"chang|damaged") as caught:
        scenario.load(tmp_path / "file.yaml")
    assert caught.value.exit_status == 2
    assert str(caught.value).count("\n") == 0
    assert f"{tmp_path / 'file.yaml'}:3:" in str(caught.value)
    path.write_bytes(bytes(data[:-9]))
    with pytest.raises(InputError, match=r"chang|damaged"):
        scenario.load(tmp_path / "file.yaml")


def test_a_result_runs_again_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "resolved.yaml").write_text(scenario.dump(load().document))
    monkeypatch.chdir(tmp_path)
    first, again = api.run(load()), api.run(scenario.load("resolved.yaml"))
    assert again.recordings[0].latency_s.tolist() == first.recordings[0].latency_s.tolist()
    assert again.summary["accuracy"] == first.summary["accuracy"]


def test_playing_an_artifact_does_not_load_torch():
    code = (
        "import sys; from edgesim import api; "
        f"api.run(api.load({str(EXAMPLES / 'fashion-five-pis.yaml')!r}, "
        "overrides=['traffic.requests=20'])); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_console_says_how_often_answers_are_right():
    from edgesim.report.run_tables import accuracy_sentence

    found = {"top1": 0.9, "top1_all_parts": 0.905, "top1_unsplit": 0.915, "dataset": "d",
             "samples": 10_000}  # fmt: skip
    degraded = {"accuracy": found, "requests": {"degraded": 3}}
    assert accuracy_sentence(degraded) == (
        "90.00 % of the answers are right, degraded ones included; 90.50 % with every part; "
        "the unsplit model 91.50 % (d, 10,000 test images)"
    )
    whole = {"accuracy": {**found, "top1": 0.905}, "requests": {"degraded": 0}}
    assert accuracy_sentence(whole) == (
        "90.50 % of the answers are right; the unsplit model 91.50 % (d, 10,000 test images)"
    )
    measured = {**found, "top1": 0.88, "top1_expected": 0.905, "samples": 50}
    assert accuracy_sentence({"accuracy": measured, "requests": {"degraded": 0}}) == (
        "88.00 % of the answers are right (d, 50 test images); on all of them 90.50 % would be, "
        "the unsplit model's 91.50 %"
    )
    unsure = accuracy_sentence({"accuracy": {**found, "top1": None}, "requests": {"degraded": 3}})
    assert unsure.startswith("not known of these answers; 90.50 % with every part")
    assert accuracy_sentence({"accuracy": None}) is None

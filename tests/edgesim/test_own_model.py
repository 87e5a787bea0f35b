"""A model of one's own on the command line, in scenarios, studies, results and notebooks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

import edgesim as package
from edgesim import api
from edgesim.common.errors import InputError
from edgesim.graph import Graph
from edgesim.graph.sources import modules
from edgesim.graph.trace import trace
from edgesim.sweep import run_study
from tests.edgesim.command import ROOT, assert_fails, document, edgesim, edgesim_process
from tests.edgesim.graph.sources import user_model

FILE = Path(user_model.__file__)
SPEC = f"torch:{FILE}:build"
INPUT = "[3, 16, 16]"
SCENARIO = """
name: own
model: {graph: net.graph.json}
placement: {strategy: single, input: a, nodes: [b]}
nodes: {a: {device: raspberry-pi-4b}, b: {device: raspberry-pi-5}}
network: {switch: {bandwidth: 100 Mbit/s, latency: 0.25 ms}}
traffic: {arrivals: poisson, rate: 5/s, requests: 20}
baselines: [raspberry-pi-4b]
"""


def graph(width: int = 8) -> Graph:
    return trace(user_model.Net(width=width), torch.zeros(1, 3, 16, 16))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    graph().save(tmp_path / "net.graph.json")
    graph(16).save(tmp_path / "wide.graph.json")
    (tmp_path / "own.yaml").write_text(SCENARIO)
    shutil.copy(FILE, tmp_path / "user_model.py")
    return tmp_path


def test_trace_writes_a_graph_and_the_cache_answers_the_second_time(tmp_path: Path) -> None:
    out = tmp_path / "net.graph.json"
    words = ("trace", SPEC, "--input", INPUT, "--arguments", "{width: 16}", "-o", out, "--json")
    first = edgesim_process(*words, cwd=tmp_path, EDGESIM_CACHE=str(tmp_path / "cache"))
    assert first.returncode == 0, first.stderr
    made = document(first.stdout)
    assert made["how"].startswith("traced in ")
    assert made["macs"] == graph(16).macs
    assert Graph.load(out).ops == graph(16).ops
    text = out.read_bytes()
    again = edgesim(*words, cwd=tmp_path, EDGESIM_CACHE=str(tmp_path / "cache"))
    assert document(again.stdout)["how"] == "from cache"
    assert out.read_bytes() == text


def test_models_and_devices_take_a_graph(folder: Path) -> None:
    shown = document(edgesim("models", "graph:net.graph.json", "--json", cwd=folder).stdout)
    assert [op["name"] for op in shown["operators"]] == [op.name for op in graph()]
    assert (
        "input 3×16×16, output 10" in edgesim("models", "graph:net.graph.json", cwd=folder).stdout
    )
    part = edgesim("models", "graph:net.graph.json", "--up-to", "stem", "--json", cwd=folder)
    assert document(part.stdout)["macs"] == 8 * 3 * 9 * 16 * 16
    done = edgesim(
        "devices", "raspberry-pi-4b", "--model", "graph:net.graph.json", "--json", cwd=folder
    )
    device = package.load(folder / "own.yaml").scenario.cluster.nodes["a"].device
    assert document(done.stdout)["time_s"] == pytest.approx(
        device.graph_cost(graph(), "fp32", 1).time_s, rel=1e-12
    )


@pytest.mark.parametrize(
    "placement",
    ["{strategy: single, nodes: [b]}", "{strategy: replicate, input: a, nodes: [a, b]}",
     "{strategy: pipeline, input: a, nodes: [a, b]}"],
)  # fmt: skip
def test_strategies_place_it_and_a_result_runs_again_alone(folder: Path, placement: str) -> None:
    setting = ("--set", f"placement={placement}")
    done = edgesim("run", "own.yaml", *setting, "--out", "first", cwd=folder)
    assert done.returncode == 0, done.stderr
    result = folder / "first"
    assert yaml.safe_load((result / "scenario.yaml").read_text())["model"] == {
        "graph": "model.graph.json", "precision": "fp32"
    }  # fmt: skip
    moved = folder / "elsewhere"
    shutil.move(result, moved)
    for name in ("net.graph.json", "user_model.py"):
        (folder / name).unlink()
    # Over itself, too: it is read before it is replaced.
    for out in (folder / "second", moved):
        done = edgesim("run", moved / "scenario.yaml", "--out", out, cwd=folder)
        assert done.returncode == 0, done.stderr
        for name in ("requests.csv", "model.graph.json", "scenario.yaml"):
            assert (folder / "second" / name).read_bytes() == (moved / name).read_bytes()


def test_a_result_of_a_torch_module_is_that_of_its_graph(folder: Path) -> None:
    """And what was printed of the trace is on stderr; the code is not needed a second time."""
    model = f"model={{torch: 'user_model.py:build', input: {INPUT}}}"
    by_code = edgesim_process("run", "own.yaml", "--set", model, "--out", "code", cwd=folder)
    assert by_code.returncode == 0, by_code.stderr
    assert "Net: traced in " in by_code.stderr
    edgesim("run", "own.yaml", "--out", "graph", cwd=folder)
    numbers = [(folder / name / "requests.csv").read_bytes() for name in ("code", "graph")]
    assert numbers[0] == numbers[1]
    (folder / "user_model.py").unlink()
    again = edgesim("run", folder / "code" / "scenario.yaml", "--out", "again", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert (folder / "again" / "requests.csv").read_bytes() == numbers[0]


def test_a_result_with_a_graph_is_replaced_and_reported(folder: Path) -> None:
    for _ in range(2):
        assert edgesim("run", "own.yaml", "--out", "result", cwd=folder).returncode == 0
    assert edgesim("report", "result", cwd=folder).returncode == 0
    assert "graph: model.graph.json" in (folder / "result" / "report.html").read_text()


def test_a_study_says_of_each_model_once_how_it_was_traced(folder: Path) -> None:
    source = {"torch": "user_model.py:build", "input": [3, 16, 16]}
    wide = {**source, "arguments": {"width": 16}}
    content = {
        "name": "models", "base": "own.yaml",
        "axes": {"model": [source, {"graph": "net.graph.json"}, wide],
                 "traffic.requests": [10, 20]},
        "keep": ["latency_s.mean"],
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    for expected in (["traced in ", "traced in "], ["from cache", "from cache"]):
        cache = str(folder / "cache")
        command = ("sweep", "study.yaml", "--out", expected[0][:4])
        done = edgesim_process(*command, cwd=folder, EDGESIM_CACHE=cache)
        said = [line for line in done.stderr.splitlines() if line.startswith("Net: ")]
        assert len(said) == 2, done.stderr
        assert all(line.startswith(f"Net: {one}") for line, one in zip(said, expected))


def test_a_study_has_models_of_any_source_as_an_axis(folder: Path) -> None:
    models = [{"graph": "net.graph.json"}, {"graph": "wide.graph.json"}, {"name": "resnet18"}]
    content = {
        "name": "models", "base": str(folder / "own.yaml"), "axes": {"model": models},
        "keep": ["latency_s.mean"],
    }  # fmt: skip
    run_study(content, folder / "study")
    rows = (folder / "study" / "table.csv").read_text().splitlines()
    latencies = [float(row.rpartition('"')[2].split(",")[1]) for row in rows[1:]]
    assert latencies[0] < latencies[1] < latencies[2]
    for setting, found in zip(models, latencies):
        scenario = {**yaml.safe_load(SCENARIO), "model": setting}
        if "graph" in setting:
            scenario["model"] = {"graph": str(folder / setting["graph"])}
        result = api.run(api.load(scenario))
        assert found == pytest.approx(result.summary["latency_s"]["mean"], rel=1e-12)


def test_python_runs_a_graph_of_a_module(folder: Path) -> None:
    loaded = package.load(folder / "own.yaml")
    made = package.trace(user_model.Net(width=16), torch.zeros(1, 3, 16, 16))
    played = loaded.run(model=made)
    other = package.load(folder / "own.yaml", set={"model.graph": "wide.graph.json"}).run()
    assert played.summary["latency_s"] == other.summary["latency_s"]
    assert played.summary["latency_s"] != loaded.run().summary["latency_s"]
    assert package.Graph is Graph


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model={graph: no.graph.json}", "model.graph: "),
        ("model={graph: own.yaml}", "is no JSON; expected a graph that `edgesim trace` wrote"),
        ("model={graph: {}}", "model.graph: expected text, such as net.graph.json, got a mapping"),
        ("model={graph:net.graph.json}", "write a space after the colon: 'graph: net.graph.json'"),
        ("model={graph: net.graph.json, classes: 4}", "'classes' belongs to 'name' or 'timm'"),
        ("model={graph: net.graph.json, input: [3]}", "'input' belongs to"),
        ("model={graph: net.graph.json, timm: x}", "expected one of 'name' (of the catalog), "
         "'timm', 'torch', 'exported', 'onnx', 'graph', 'artifact' or 'tasks', got 'timm' and "
         "'graph'"),
        ("model={graph: net.graph.json, up_to: stam}", "(did you mean 'stem'?)"),
        ("model={torch: 'user_model.py', input: [3]}", "expected FILE.py:CALLABLE"),
        ("model={torch: 'usr_model.py:build', input: [3]}", "(did you mean 'user_model.py'?)"),
        ("model={torch: 'user_model.py:build'}", "a torch module needs 'input'"),
        ("model={torch: 'user_model.py:build', input: [3.5]}", "expected whole numbers"),
        ("model={torch: 'user_model.py:build', input: [3], depth: 3}", "put it into 'arguments'"),
        ("model={exported: net.graph.json}", "is no exported program; export the model"),
        ("model={exported: no.pt2}", "does not exist"),
        ("placement={strategy: class-wise, submodels: 2}", "the operators of 'Net' are fixed"),
    ],
)  # fmt: skip
def test_bad_models_of_a_scenario_are_one_message(folder: Path, setting: str, words: str) -> None:
    done = edgesim("check", "own.yaml", "--set", setting, cwd=folder)
    assert_fails(done, 2, [words])
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["net.pt2"], "no model is named 'net.pt2' (did you mean 'exported:net.pt2'?)"),
        (["net.graph.json"], "(did you mean 'graph:net.graph.json'?)"),
        (["net.py:build"], "(did you mean 'torch:net.py:build'?)"),
        (["resnet81"], "`edgesim models` lists what there is; other "
         "models: timm:NAME, torch:FILE.py:CALLABLE, exported:FILE.pt2, onnx:FILE.onnx, "
         "graph:FILE.graph.json"),
        (["torch:net.py"], "torch:net.py: expected FILE.py:CALLABLE"),
        (["torch:net.py:build", "--input", "[3, 96"],
         "edgesim: --input: the value is no YAML: the text ends inside a list or mapping that "
         "began at column 1; is a bracket left open?\n"),
        (["torch:net.py:build", "--input", "{a: {b: c}}"], "--input: 'a.b': expected the shape"),
        (["graph:a.graph.json", "--arguments", "3"], "--arguments: expected a mapping, got 3"),
        (["resnet18", "--up-to", "layer9"], "has no module or operator 'layer9'"),
        (["resnet18", "-o", "net.txt"], "expected a file that ends in .graph.json, got net.txt"),
        (["resnet18", "-o", "/proc/no/net.graph.json"], "cannot write /proc/no/net.graph.json"),
        (["exported:."], "edgesim: . is a folder; expected an exported program\n"),
        (["onnx:."], "edgesim: . is a folder; expected an ONNX file\n"),
        (["onnx:/dev/null"], "/dev/null is no regular file; expected an ONNX file"),
        (["timm:resnet18"], "`timm:NAME` needs timm: pip install 'edgesim[zoo]'"),
    ],
)  # fmt: skip
def test_bad_words_of_a_command_are_one_message(
    tmp_path: Path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgesim.common.extras._is_installed", lambda name: name != "timm")
    done = edgesim("trace", *words, cwd=tmp_path)
    assert_fails(done, 2, [message])
    assert len(done.stderr.splitlines()) == 1


def test_a_graph_of_another_version_is_one_message(folder: Path) -> None:
    content = json.loads((folder / "net.graph.json").read_text())
    (folder / "net.graph.json").write_text(json.dumps({**content, "schema": 2}))
    done = edgesim("run", "own.yaml", cwd=folder)
    assert_fails(done, 2, ["own.yaml:3:16: model.graph: ", "this edgesim reads schema 1"])
    assert len(done.stderr.splitlines()) == 1


def test_graphs_are_given_no_wrong_strategy_in_python(folder: Path) -> None:
    text = SCENARIO.replace("{graph: net.graph.json}", "{name: vit_tiny_patch16_224}")
    text = text.replace("strategy: single", "strategy: class-wise, submodels: 2, fusion: a")
    (folder / "split.yaml").write_text(text.replace("nodes: [b]}", "nodes: [b, a]}"))
    with pytest.raises(InputError, match="class-wise"):
        package.load(folder / "split.yaml").run(model=graph())


def test_the_graph_of_the_example_is_that_of_its_module() -> None:
    folder = ROOT / "examples" / "own-model"
    job = {
        "place": str(folder / "net.py"), "callable": "build", "folder": str(folder),
        "arguments": {}, "input": [3, 96, 96],
    }  # fmt: skip
    made, kept = modules.of_user(job).graph, Graph.load(folder / "net.graph.json")
    assert made.ops == kept.ops
    assert made.edges == kept.edges

"""Everything that takes input: what is put into it, and what counts as taking it well.

Whatever comes in is taken, or refused in one message with exit status 2; anything else that is
raised, more than `LONGEST_S`, or more memory than the process may have, is a failure.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.abuse import mutations, result_folders
from tests.edgesim.command import ROOT

EXAMPLES = ROOT / "examples"
SCENARIOS = (
    "five-pis", "mixed-nodes", "one-machine", "pipeline-jetsons", "pis-with-light", "task-graph",
    "replicate-mlperf-server", "fashion-five-pis",
)  # fmt: skip
STUDIES = ("five-pis-study", "fewest-pis-study")
LONGEST_S = 10.0
"""That any one input may take, on a machine that is busy with other tests too."""


@dataclass(frozen=True)
class Surface:
    """Something that takes input.

    Attributes:
        inputs: what is put in.
        take: given an input and a folder of its own, takes it or raises what it refuses it with.
    """

    inputs: Callable[[], st.SearchStrategy[bytes]]
    take: Callable[[bytes, Path], None]


@functools.cache
def example(name: str) -> bytes:
    return (EXAMPLES / f"{name}.yaml").read_bytes()


@functools.cache
def document(name: str) -> Any:
    return yaml.safe_load(example(name))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def check(scenario: Any) -> None:
    """Do what ``edgesim check`` does."""
    from edgesim import api
    from edgesim.report import plan_tables

    plan_tables.examine(scenario, api.place(scenario)).document()


def scenario_inputs() -> st.SearchStrategy[bytes]:
    from edgesim.scenario import json_schema

    whole = [document(name) for name in SCENARIOS]
    return (
        mutations.texts([example(name) for name in SCENARIOS])
        | mutations.trees(whole).map(mutations.as_yaml)
        | mutations.trees(whole).map(mutations.as_yaml)
        | mutations.of_schema(json_schema.schema()).map(mutations.as_yaml)
    )


def take_scenario(data: bytes, folder: Path) -> None:
    from edgesim import scenario

    # Beside the examples, so that the names of files in them lead somewhere.
    path = write(folder / "c.yaml", data)
    (folder / "fashion-5").is_symlink() or (folder / "fashion-5").symlink_to(EXAMPLES / "fashion-5")
    (folder / "devices").is_symlink() or (folder / "devices").symlink_to(EXAMPLES / "devices")
    check(scenario.load(path))


KEYS = (
    "seed", "name", "model.name", "model.classes", "model.depth", "placement.strategy",
    "placement.submodels", "placement.heads", "nodes.pi.count", "nodes.pi.device", "nodes.pi",
    "nodes.hub.batch.max", "nodes.hub.variability.cv", "nodes.pi.faults.mtbf", "network.wifi",
    "network.switch.bandwidth", "network.switch.latency", "traffic.arrivals", "traffic.rate",
    "traffic.requests", "traffic.samples", "traffic.times", "traffic.file", "baselines.0",
    "baselines", "replications", "faults.schedule", "recovery", "", ".", "..", "a", "nodes..x",
)  # fmt: skip


def setting_inputs() -> st.SearchStrategy[bytes]:
    key = st.sampled_from(KEYS) | st.text(max_size=12)
    value = mutations.leaves().map(mutations.as_yaml).map(bytes.decode) | st.sampled_from(
        (*mutations.WORDS, *mutations.TOKENS)
    )
    one = st.builds("{}={}".format, key, value) | st.text(max_size=12)
    return st.lists(one, min_size=1, max_size=3).map(
        lambda all_of_them: "\x1e".join(all_of_them).encode("utf-8", "surrogatepass")
    )


def take_settings(data: bytes, folder: Path) -> None:
    from edgesim import scenario

    settings = data.decode("utf-8", "surrogateescape").split("\x1e")
    text = example("five-pis").decode()
    check(scenario.load_text(text, overrides=settings, folder=folder))


@functools.cache
def device_documents() -> tuple[bytes, ...]:
    from importlib.resources import files

    catalog = [Path(str(one)) for one in files("edgesim.hardware.catalog").iterdir()]
    own = sorted((EXAMPLES / "devices").glob("*.yaml"))
    every = [*sorted(one for one in catalog if one.suffix == ".yaml"), *own]
    return tuple(one.read_bytes() for one in every if one.stat().st_size < 20_000)


def device_inputs() -> st.SearchStrategy[bytes]:
    whole = [yaml.safe_load(one) for one in device_documents()]
    return mutations.texts(device_documents()) | mutations.trees(whole).map(mutations.as_yaml)


def take_device(data: bytes, folder: Path) -> None:
    from edgesim import scenario

    write(folder / "x.yaml", data)
    node = {"device": "x.yaml"}
    model = {"name": "vit_tiny_patch16_224", "classes": 4, "depth": 1, "image_size": 32}
    whole = {"model": model, "nodes": {"a": node}, "placement": {"strategy": "single"}}
    traffic = {"arrivals": "poisson", "rate": 1, "requests": 5}
    check(scenario.from_mapping({**whole, "traffic": traffic}, folder=folder))


def study_inputs() -> st.SearchStrategy[bytes]:
    whole = [document(name) for name in STUDIES]
    return mutations.texts([example(name) for name in STUDIES]) | mutations.trees(
        whole, [*whole, *map(document, SCENARIOS)]
    ).map(mutations.as_yaml)


def take_study(data: bytes, folder: Path) -> None:
    from edgesim.sweep import reader

    write(folder / "five-pis.yaml", example("five-pis"))
    reader.load(write(folder / "study.yaml", data))


RECIPES = ("digits-partition", "fashion-partition")


def recipe_inputs() -> st.SearchStrategy[bytes]:
    whole = [document(name) for name in RECIPES]
    bare = [one["model"]["training"] for one in whole]
    return mutations.texts([example(name) for name in RECIPES]) | mutations.trees(
        [*whole, *bare]
    ).map(mutations.as_yaml)


def take_recipe(data: bytes, folder: Path) -> None:
    from edgesim import partitioning

    partitioning.load(write(folder / "r.yaml", data))


TRACE = b"# seconds\n0\n0.25\n1 s\n1500 ms\n2\n3.5e0\n\n4 s # late\n1 min\n"
FAULTS = b"at,duration,node,kind\n1,2,pi-0,crash\n# slow\n3 s,500 ms,pi-1,crash\n"


def take_trace(data: bytes, folder: Path) -> None:
    from edgesim.scenario.traffic_files import read_times
    from edgesim.simulate.arrivals import TraceFile

    write(folder / "trace.txt", data)
    read_times(TraceFile(path="trace.txt"), folder)


def take_faults(data: bytes, folder: Path) -> None:
    from edgesim.scenario.named_files import read_faults

    read_faults(write(folder / "faults.csv", data))


@functools.cache
def manifest() -> dict[str, Any]:
    """Return a good manifest, of files that hold nothing but their names."""
    found: dict[str, Any] = json.loads((EXAMPLES / "fashion-5" / "manifest.json").read_bytes())
    found["files"] = {name: hashlib.sha256(name.encode()).hexdigest() for name in found["files"]}
    return found


def manifest_inputs() -> st.SearchStrategy[bytes]:
    text = json.dumps(manifest()).encode()
    return mutations.texts([text]) | mutations.trees([manifest()]).map(
        lambda data: json.dumps(data).encode("utf-8", "replace")
    )


def signed(data: bytes) -> bytes:
    """Return a manifest with the hash that it should have, where it is one at all."""
    from partition.manifest import manifest_hash

    try:
        found = json.loads(data)
        return json.dumps({**found, "sha256": manifest_hash(found)}).encode()
    except (ValueError, TypeError, RecursionError):
        return data


def take_manifest(data: bytes, folder: Path) -> None:
    from edgesim import artifact

    for name in manifest()["files"]:
        write(folder / name, name.encode())
    write(folder / "manifest.json", signed(data))
    artifact.load(folder)


@functools.cache
def weights() -> bytes:
    """Return a small Vision Transformer as safetensors."""
    import tempfile

    import torch

    from partition.config import ViTConfig
    from partition.model import VisionTransformer
    from partition.weights import save_vit

    config = ViTConfig.from_dict({**manifest()["parts"][0]["config"], "depth": 1})
    model = VisionTransformer(config, torch.Generator().manual_seed(7))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        save_vit(path, model)
        return path.read_bytes()


@st.composite
def headers(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw a safetensors file whose header was changed, its length set right or wrong."""
    size = int.from_bytes(whole[:8], "little")
    header, rest = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    if draw(st.booleans()):
        state = json.loads(header["__metadata__"]["state"])
        header["__metadata__"]["state"] = json.dumps(draw(mutations.trees([state])))
    else:
        header = draw(mutations.trees([header]))
    text = json.dumps(header).encode("utf-8", "replace")
    length = draw(st.sampled_from((len(text),) * 9 + (0, 2**60, 2**64 - 1, len(text) - 1)))
    return length.to_bytes(8, "little") + text + rest[: draw(st.sampled_from((10**9, 100, 0)))]


def weight_inputs() -> st.SearchStrategy[bytes]:
    return mutations.texts([weights()]) | headers(weights()) | headers(weights())


def take_weights(data: bytes, folder: Path) -> None:
    from partition.weights import load_vit

    load_vit(write(folder / "x.safetensors", data))


@functools.cache
def artifact_files() -> dict[str, bytes]:
    """Return the files of a small artifact of two parts, by name."""
    import tempfile

    import torch

    from partition.artifact import write_artifact
    from partition.config import ViTConfig
    from partition.entries import cost_entry, fusion_cost_entry
    from partition.fusion import Fusion
    from partition.model import VisionTransformer

    whole = ViTConfig(
        image=8,
        channels=1,
        patch=4,
        width=6,
        depth=1,
        heads=2,
        head_width=3,
        mlp_width=8,
        classes=4,
    )
    part = whole.with_(width=3, classes=3)
    fusion = Fusion([part.width] * 2, (5,), 4, torch.Generator().manual_seed(1))
    found = {**manifest(), "fit": None}
    names = found["data"]["classes"][:4]
    found["data"] = {**found["data"], "classes": names, "image": 8}
    entries = [
        {
            **found["parts"][number], **cost_entry(part), "file": f"part-{number}.safetensors",
            "classes": [number, number + 2], "class_names": [names[number], names[number + 2]],
        }
        for number in range(2)
    ]  # fmt: skip
    right = {"worst_class": names[1], "class_accuracies": [0.5, 0.25, 0.5, 1.0]}
    found["parts"] = entries
    found["fusion"] = {**found["fusion"], **fusion_cost_entry(fusion), **right}
    found["unsplit"] = {**found["unsplit"], **cost_entry(whole), **right}
    found["survivors"] = {
        "exhaustive": True, "accuracy": {"00": 0.25, "01": 0.5, "10": 0.5, "11": 0.75}
    }  # fmt: skip
    models = [VisionTransformer(part, torch.Generator().manual_seed(seed)) for seed in range(2)]
    with tempfile.TemporaryDirectory() as made:
        write_artifact(Path(made) / "a", found, tuple(models), fusion)
        return {path.name: path.read_bytes() for path in (Path(made) / "a").iterdir()}


@st.composite
def artifact_inputs(draw: st.DrawFn) -> bytes:
    """Draw a file of an artifact with something changed, after its name and a line's end."""
    name = draw(st.sampled_from(sorted(artifact_files())) | st.just("manifest.json"))
    data = artifact_files()[name]
    if name == "manifest.json":
        tree = mutations.trees([json.loads(data)])
        changed = mutations.texts([data]) | tree.map(json.dumps).map(
            lambda text: text.encode("utf-8", "replace")
        )
    else:
        changed = mutations.texts([data]) | headers(data)
    return name.encode() + b"\n" + draw(changed)


def take_artifact(data: bytes, folder: Path) -> None:
    """Load an artifact one file of which is another, every hash made right for it."""
    from partition.artifact import load_artifact

    name, _, changed = data.partition(b"\n")
    files = {**artifact_files(), name.decode(): changed}
    if name != b"manifest.json":
        whole = json.loads(files["manifest.json"])
        whole["files"][name.decode()] = hashlib.sha256(changed).hexdigest()
        files["manifest.json"] = json.dumps(whole).encode()
    for one, content in files.items():
        write(folder / one, signed(content) if one == "manifest.json" else content)
    load_artifact(folder)


SURFACES = {
    "scenario": Surface(scenario_inputs, take_scenario),
    "settings": Surface(setting_inputs, take_settings),
    "device": Surface(device_inputs, take_device),
    "study": Surface(study_inputs, take_study),
    "recipe": Surface(recipe_inputs, take_recipe),
    "trace": Surface(lambda: mutations.texts([TRACE]), take_trace),
    "faults": Surface(lambda: mutations.texts([FAULTS]), take_faults),
    "manifest": Surface(manifest_inputs, take_manifest),
    "artifact": Surface(artifact_inputs, take_artifact),
    "weights": Surface(weight_inputs, take_weights),
    **{
        name: Surface(
            functools.partial(result_folders.inputs, name),
            functools.partial(result_folders.take, name),
        )
        for name in result_folders.FOLDERS
    },
}


def corpus(name: str) -> Sequence[Path]:
    """Return the inputs that are kept of a surface: seeds, and all that ever failed."""
    return sorted((ROOT / "tests" / "abuse" / "corpora" / name).glob("*"))


def emptied(folder: Path) -> Path:
    """Return a folder with nothing in it, whatever was."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    return folder

"""Compare unsplit, small, split and split CNN models: accuracy on the same images, latency on Pis.

    OMP_NUM_THREADS=1 python examples/partition-compare.py ARTIFACT --work WORK --out TABLE.md

reads an artifact of ``edgesim partition`` and trains models for comparison with the same recipe:
a small ViT of the same total size, and a CNN that is split into the same groups of classes. This
takes two minutes for the digits on one core, and several hours for Fashion-MNIST. Finished steps
are stored in WORK. Without ``--work``, nothing is trained, and any number of artifacts is compared:

    python examples/partition-compare.py examples/fashion-{1,2,3,5,10}

The latency is simulated: a Raspberry Pi 4B for each part, and a Pi 5 that receives the image and
fuses, on a switch of 1 Gbit/s, one image at a time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from edgesim.artifact import Accuracy, Artifact, Part
from edgesim.common.progress import StepBar
from edgesim.graph import Graph
from edgesim.graph.builder import Builder
from edgesim.graph.layers import gelu
from edgesim.graph.mlp import mlp
from edgesim.graph.op import OpKind
from edgesim.graph.vit import vit
from edgesim.placement import Model, PlacementRequest, place
from edgesim.scenario import from_mapping
from edgesim.simulate import simulate
from partition import read_trained
from partition.compare import MIB, Shape, compare, markdown
from partition.config import ViTConfig

REQUESTS = 20


def graph_of(shape: Shape) -> Graph:
    """Return the operators of a model of this shape."""
    build = Builder("model", (shape.channels, *shape.size))
    if isinstance(shape, ViTConfig):
        return vit(
            build, classes=shape.classes, patch_size=shape.patch, width=shape.width,
            depth=shape.depth, heads=shape.heads, head_width=shape.head_width,
            mlp_width=shape.mlp_width, distilled=shape.distilled, stem=shape.stem,
        )  # fmt: skip
    size, before = (shape.image, shape.image), shape.channels
    inputs: tuple[str, ...] = ()
    for index, (width, stride) in enumerate(zip(shape.widths, shape.strides, strict=True)):
        name = f"layers.{index}"
        stream, size = build.conv(
            name, inputs, channels=(before, width), kernel=3, in_size=size, stride=stride,
            padding=1, bias=True,
        )  # fmt: skip
        inputs, before = (gelu(build, f"{name}.act", stream),), width
    mean = build.pointwise("mean", OpKind.POOL, inputs, output_elements=before)
    build.linear("head", (mean,), rows=1, features=(before, shape.classes))
    return build.graph()


def feature_elements(shape: Shape) -> int:
    """Return what a part of this shape sends to the fusion."""
    if isinstance(shape, ViTConfig):
        return shape.feature_tokens * shape.width
    return shape.widths[-1]


def latency_s(shapes: Sequence[Shape], fusion_widths: Sequence[int]) -> float:
    """Return the mean latency of one image at a time, a Pi 4B for every part."""
    graphs = [graph_of(shape) for shape in shapes]
    scenario = from_mapping({
        "model": {"name": "vit_tiny_patch16_224"},  # a stand-in: the true one follows
        "placement": {"strategy": "single", "input": "hub"},
        "nodes": {
            "pi": {"device": "raspberry-pi-4b", "count": len(shapes)},
            "hub": {"device": "raspberry-pi-5"},
        },
        "network": {"switch": {"bandwidth": "1 Gbit/s", "latency": "0.25 ms"}},
        "traffic": {"arrivals": "closed", "requests": REQUESTS},
    })  # fmt: skip
    strategy, model = "single", Model(name="model", graph=graphs[0])
    if fusion_widths:
        parts = tuple(
            Part(graph=graph, classes=(), feature_elements=feature_elements(shape), device=None)
            for graph, shape in zip(graphs, shapes, strict=True)
        )
        unknown = Accuracy(dataset="", samples=0, top1=0.0, top1_unsplit=0.0, survivors={})
        artifact = Artifact(
            folder=Path(), name="parts", parts=parts, fusion=mlp("fusion", tuple(fusion_widths)),
            unsplit=graphs[0], accuracy=unknown,
        )  # fmt: skip
        strategy, model = "class-wise", Model(name="parts", graph=graphs[0], artifact=artifact)
    request = PlacementRequest(model=model, cluster=scenario.cluster, input_node="hub")
    recording = simulate(place(request, strategy), scenario.cluster, scenario.traffic, seed=0)
    return float(recording.latency_s.mean())


def as_they_are(folders: Sequence[Path]) -> str:
    """Return a table in Markdown of the unsplit model and of every artifact."""
    manifests = [read_trained(folder) for folder in folders]
    whole = manifests[0].unsplit
    rows = [("unsplit", whole, [whole], 0, (), "")]
    for manifest in manifests:
        parts, fusion = manifest.parts, manifest.fusion
        name = f"{len(parts)} part{'s' if len(parts) > 1 else ''}"
        found = manifest.survivors.accuracy.items()
        lost = [share for key, share in found if key.count("0") == 1]
        told = f"{sum(lost) / len(lost):.2%}" if len(parts) > 1 else ""
        rows.append((name, fusion, parts, fusion.bytes, fusion.widths, told))
    lines = [
        "| model | accuracy | worst class | one part lost | MiB a part | MMAC a part "
        "| MiB in all | latency |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, right, parts, more, widths, told in rows:
        shapes = [part.config for part in parts]
        sizes = [part.bytes for part in parts]
        lines.append(
            f"| {name} | {right.accuracy:.2%} | {right.worst_class_accuracy:.1%} | {told} "
            f"| {max(sizes) / MIB:.3f} | {max(part.macs for part in parts) / 1e6:.2f} "
            f"| {(sum(sizes) + more) / MIB:.3f} | {latency_s(shapes, widths) * 1e3:.2f} ms |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description="Compare an artifact with what it could be.")
    parser.add_argument("artifacts", type=Path, nargs="+", metavar="ARTIFACT", help="folders")
    parser.add_argument("--work", type=Path, help="folder of finished steps; trains the others")
    parser.add_argument("--out", type=Path, help="file for the table, in Markdown")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.work is None:
        table = as_they_are(chosen.artifacts)
    elif len(chosen.artifacts) > 1:
        parser.error("--work takes one artifact")
    else:
        with StepBar() as progress:
            rows = compare(chosen.artifacts[0], chosen.work, progress, latency=latency_s)
        table = markdown(rows)
    print(table, end="")
    if chosen.out is not None:
        chosen.out.write_text(table)


if __name__ == "__main__":
    main()

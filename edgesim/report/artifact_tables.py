"""What ``edgesim partition`` and ``edgesim evaluate`` print of an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from edgesim.artifact import point_text
from edgesim.common.text import count, size
from edgesim.report.table import Table
from edgesim.results.accuracy import accuracy_text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from partition.evaluate import Evaluation
    from partition.recipe import Recipe
    from partition.schema import (
        LightEntry,
        TrainedFusion,
        TrainedManifest,
        TrainedPart,
        UnsplitEntry,
    )


def show_recipe(recipe: Recipe, file: Path, console: Console, *, simulated: bool) -> None:
    """Print what a recipe trains, and the commands that come next.

    Args:
        recipe: the recipe, which is valid.
        file: file that holds it.
        console: where to print.
        simulated: whether the file is a scenario, not only a recipe.
    """
    noun = "part" if recipe.split.parts == 1 else "parts"
    console.print(
        f"[bold]{escape(recipe.name)}[/]  is valid; the model is yet to be trained: "
        f"{recipe.split.parts} {noun} of {escape(recipe.data.name)}, seed {recipe.seed}"
    )
    name = escape(str(file))
    lines = [["Train it", f"edgesim partition {name} -o DIR"]]
    if simulated:
        lines.append(
            ["Simulate it", f"edgesim run {name} --set model.training= --set model.artifact=DIR"]
        )
    for title, command in lines:
        console.print(f"{title + ':':<13}{command}", soft_wrap=True)
    if simulated:
        console.print("The path DIR of model.artifact is relative to the folder of the file.")
    else:
        console.print("With nodes, network, placement and traffic the file is a scenario, too.")


def show(manifest: TrainedManifest, console: Console) -> None:
    """Print the parts, the fusion and the unsplit model of a manifest."""
    data, parts = manifest.data, manifest.parts
    noun = "part" if len(parts) == 1 else "parts"
    console.print(
        f"[bold]{escape(manifest.name)}[/]  {len(parts)} {noun} of {escape(data.name)}, "
        f"{data.images.test:,} test images, seed {manifest.seed}"
    )
    fitted = any(part.device is not None for part in parts)
    lines = []
    for number, part in enumerate(parts):
        names = ", ".join(part.class_names) + (", other" if part.other else "")
        device = [part.device or ""] if fitted else []
        lines.append([f"part {number}", names, *_figures(part), *device])
    for title, entry in (("fusion", manifest.fusion), ("unsplit", manifest.unsplit)):
        worst = f"all; worst is {entry.worst_class}, {accuracy_text(entry.worst_class_accuracy)}"
        lines.append([title, worst, *_figures(entry)])
    head = ["", "classes", "size", "MAC", "accuracy", *(["device"] if fitted else [])]
    Table("", head, lines, left=(0, 1, 5)).show(console)
    if data.skipped:
        console.print(
            f"{data.skipped:,} damaged image {'file was' if data.skipped == 1 else 'files were'} "
            "left out; the manifest lists them under data.skipped_files."
        )
    sentence = _without_one(manifest.survivors.accuracy)
    if sentence:
        console.print(sentence)
    if manifest.light is not None:
        console.print(_light_text(manifest.light))
    if manifest.fit is not None and manifest.fit.gap is not None:
        console.print(
            f"The greedy assignment keeps {accuracy_text(manifest.fit.gap)} fewer heads than the "
            "exact one, which was taken."
        )


def show_evaluation(found: Evaluation, console: Console, *, chosen: bool = False) -> None:
    """Print the accuracies of an artifact, a column for each form of its weights.

    Args:
        found: the accuracies.
        console: where to print.
        chosen: whether the subsets were asked for; then nothing is said of other parts.
    """
    console.print(
        f"[bold]{escape(found.name)}[/]  {found.samples:,} images of {escape(found.dataset)}"
    )
    forms = found.forms
    asked = [
        number
        for number in range(len(forms[0].parts))
        if not chosen or any(key[number] == "1" for key in forms[0].subsets)
    ]
    lines = [["unsplit", *(_whole(form.unsplit) for form in forms)]]
    lines += [
        [f"part {number}, its own task", *(_own(one.parts[number]) for one in forms)]
        for number in asked
    ]
    if not chosen:
        lines.append(["fused, every part", *(_whole(form.fused) for form in forms)])
    for key in forms[0].subsets:
        there = ", ".join(str(number) for number, digit in enumerate(key) if digit == "1")
        name = f"fused, {'part' if key.count('1') == 1 else 'parts'} {there}"
        lines.append([name, *(accuracy_text(form.subsets[key]) for form in forms)])
    Table("", ["", *(form.form for form in forms)], lines).show(console)
    if forms[0].unsplit is None:
        console.print(
            "The artifact is of an earlier version and does not hold the unsplit model's weights."
        )
    worst = forms[0].fused
    if not chosen:
        console.print(
            f"Fused with every part, the worst class is {escape(worst['worst_class'])}, "
            f"{accuracy_text(worst['worst_class_accuracy'])} ({forms[0].form})."
        )
    if found.skipped:
        console.print(
            f"{len(found.skipped):,} damaged image "
            f"{'file was' if len(found.skipped) == 1 else 'files were'} left out."
        )


def _light_text(light: LightEntry) -> str:
    """Return the sentence on the accuracy on light."""
    said = [
        f"{name} {accuracy_text(one.accuracy)} (without light {accuracy_text(one.electronic)}, "
        f"the same answer {accuracy_text(one.same)})"
        for name, one in (("fused", light.fused), ("unsplit", light.unsplit))
    ]
    return (
        f"On light, with {point_text(light)}, on {light.images:,} test images: {'; '.join(said)}."
    )


def _whole(entry: Mapping[str, Any] | None) -> str:
    return "not known" if entry is None else accuracy_text(entry["accuracy"])


def _own(accuracy: float | None) -> str:
    return "no image of it" if accuracy is None else accuracy_text(accuracy)


def _figures(entry: TrainedPart | TrainedFusion | UnsplitEntry) -> tuple[str, str, str]:
    return size(entry.bytes), count(entry.macs), accuracy_text(entry.accuracy)


def _without_one(survivors: Mapping[str, float]) -> str:
    """Return the sentence on what is left when any one part is lost; empty for a lone part."""
    found = [value for key, value in survivors.items() if key.count("0") == 1]
    if len(next(iter(survivors))) < 2 or not found:
        return ""
    mean = sum(found) / len(found)
    worst = accuracy_text(min(found))
    return f"Without any one part: {accuracy_text(mean)} on average, {worst} at worst."

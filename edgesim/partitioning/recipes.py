"""``edgesim partition`` and ``edgesim evaluate``: recipes and artifacts of ``partition``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgesim.common.errors import EdgesimError, InputError
from edgesim.common.text import described
from edgesim.common.validation import Path as KeyPath
from edgesim.common.validation import Problem, read_section
from edgesim.scenario.document import ScenarioError, read_file
from edgesim.scenario.findings import Findings
from edgesim.scenario.overrides import override
from edgesim.scenario.reader import IS_STUDY
from partition.recipe import Recipe

if TYPE_CHECKING:
    from edgesim.common.interrupts import Held
    from partition import TrainedManifest
    from partition.evaluate import Evaluation

_SCENARIO_KEYS = frozenset({"nodes", "network", "placement", "traffic"})
"""Keys that a scenario has and a recipe has not."""


_RECIPE_KEYS = frozenset({"data", "training", "split", "pruning", "fusion", "devices", "light"})
"""Keys that a recipe has and a scenario has not."""


def is_recipe(path: Path) -> bool:
    """Return whether a file holds a recipe and nothing to simulate. False where it is no YAML."""
    try:
        data = read_file(path).data if path.is_file() else None
    except InputError:
        return False
    if not isinstance(data, dict) or "base" in data or _SCENARIO_KEYS & set(data):
        return False
    model = data.get("model")
    return bool(_RECIPE_KEYS & set(data)) or (isinstance(model, dict) and "training" in model)


def load(
    path: Path,
    settings: Sequence[str] = (),
    seed: int | None = None,
    *,
    skip_damaged: bool = False,
) -> Recipe:
    """Return the recipe of a scenario file, or of a file that holds nothing else.

    The rest of a scenario is validated too: better now than after an hour of training.

    Args:
        path: the file.
        settings: ``key.path=value`` settings that replace what the file says.
        seed: seed of the training, in place of the recipe's.
        skip_damaged: whether damaged images are left out, also where the recipe does not say so.

    Raises:
        InputError: the file cannot be read, or says something wrong.
    """
    document = read_file(path)
    override_problems = override(document, settings)
    recipe, problems = _find(document.data)
    if recipe is None or problems or override_problems:
        raise ScenarioError([*override_problems, *document.located(problems)])

    def resolved(name: str | None) -> str | None:
        return None if name is None else str(path.parent / Path(name).expanduser())

    return replace(
        recipe,
        seed=recipe.seed if seed is None else seed,
        data=replace(
            recipe.data,
            folder=resolved(recipe.data.folder),
            skip_damaged=recipe.data.skip_damaged or skip_damaged,
        ),
        model=replace(recipe.model, checkpoint=resolved(recipe.model.checkpoint)),
    )


def _find(data: object) -> tuple[Recipe | None, list[Problem]]:
    """Return the recipe in the data of a file, and what is wrong with them.

    A scenario holds it at ``model.training``; any other mapping is taken as the recipe itself.
    """
    if not isinstance(data, dict):
        message = f"expected a mapping: a scenario, or a recipe, got {described(data)}"
        return None, [Problem((), message)]
    if "base" in data and "model" not in data:
        return None, [Problem((), f"{IS_STUDY}; `edgesim partition` takes a scenario or a recipe")]
    of_scenario = _SCENARIO_KEYS & set(data)
    problems = Findings(data).problems if of_scenario else []
    model = data.get("model")
    if isinstance(model, dict) and "training" in model:
        at: KeyPath = ("model", "training")
        return read_section(Recipe, model["training"], problems, at), problems
    if of_scenario:
        message = "expected a 'training' section, which is the recipe, got none"
        return None, [*problems, Problem(("model",), message)]
    return read_section(Recipe, data, problems), problems


def evaluate(
    folder: Path,
    images: Path | None,
    held: Held,
    *,
    subsets: Sequence[Sequence[int]] = (),
    forms: Sequence[str] = ("fp32",),
    skip_damaged: bool = False,
) -> Evaluation:
    """Return the accuracies of an artifact; a bar on stderr shows how far it is.

    Args:
        folder: the artifact.
        images: folder of images to measure on; by default its own test images.
        held: an interrupt that it noted ends the run at the next report.
        subsets: numbers of the parts that are there; by default all but one, in turn.
        forms: forms of the weights.
        skip_damaged: whether damaged images are left out.

    Raises:
        InputError: the artifact, its data or an option is wrong.
    """
    import partition
    from edgesim.common.progress import StepBar
    from partition.evaluate import evaluate as measured
    from partition.forms import FORMS

    unknown = [form for form in forms if form not in FORMS]
    if unknown:
        raise InputError(f"--form: expected {', '.join(FORMS)}, got '{unknown[0]}'")
    chosen = [form for form in FORMS if form in forms]
    try:
        with StepBar(held) as bar:
            return measured(
                folder, images, subsets=subsets, forms=chosen, skip_damaged=skip_damaged,
                progress=bar,
            )  # fmt: skip
    except partition.PartitionError as error:
        raise InputError(str(error)) from None


def make(
    recipe: Recipe, out: Path, work: Path, held: Held, *, fresh: bool = False
) -> TrainedManifest:
    """Make the artifact of a recipe in ``out``; return its manifest.

    Finished steps are kept in ``work``, also after a failure. A bar on stderr shows how far it is.

    Args:
        recipe: the recipe.
        out: folder; an artifact that is there is replaced at the end.
        work: folder of finished steps.
        held: an interrupt that it noted ends the run at the next report.
        fresh: whether finished steps in ``work`` are ignored, and replaced.

    Raises:
        InputError: data are missing, or the recipe or ``out`` is impossible.
        EdgesimError: the run failed; the message says what is kept.
    """
    import torch

    import partition
    from edgesim.common.progress import StepBar

    # One thread is what makes the bytes the same on every machine with the same processor.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    held.begin()
    try:
        with StepBar(held) as bar:
            road = None
            if recipe.light is not None:
                from edgesim.partitioning.light import PhysicalRoad

                road = PhysicalRoad()
            return partition.run(recipe, out, bar, work_dir=work, fresh=fresh, road=road)
    except partition.InputError as error:
        raise InputError(str(error)) from None
    except partition.PartitionError as error:
        raise EdgesimError(str(error)) from None

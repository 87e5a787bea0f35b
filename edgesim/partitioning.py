"""``edgesim partition``: a scenario's recipe, played by the package ``partition``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgesim.common.errors import EdgesimError, InputError
from edgesim.scenario.document import ScenarioError, read_file
from edgesim.scenario.findings import Findings
from edgesim.scenario.overrides import override

if TYPE_CHECKING:
    from edgesim.common.interrupts import Held
    from partition import Recipe, TrainedManifest


def load(path: Path, settings: Sequence[str] = (), seed: int | None = None) -> Recipe:
    """Return the recipe of a scenario file, or of a file that holds nothing else.

    The rest of a scenario is validated too: better now than after an hour of training.

    Args:
        path: of the file.
        settings: ``key.path=value`` settings that replace what the file says.
        seed: of the training; replaces the recipe's.

    Raises:
        InputError: the file cannot be read, or says something wrong.
    """
    import partition
    from partition.scenario import SCENARIO_KEYS, recipe_of

    document = read_file(path)
    data = document.data
    problems = override(document, settings)
    if isinstance(data, dict) and SCENARIO_KEYS & set(data):
        problems += document.located(Findings(data).problems)
    if problems:
        raise ScenarioError(problems)
    try:
        recipe = recipe_of(data, path.parent)
    except partition.InputError as error:
        raise InputError(f"{path}: {error}") from None
    return recipe if seed is None else replace(recipe, seed=seed)


def make(recipe: Recipe, out: Path, work: Path, held: Held) -> TrainedManifest:
    """Make the artifact of a recipe in ``out``; return its manifest.

    Finished steps are kept in ``work``, also after a failure. A bar on stderr shows how far it is.

    Args:
        recipe: what to do.
        out: folder; an artifact that is there is replaced at the end.
        work: folder of finished steps.
        held: an interrupt that it noted ends the run at the next report.

    Raises:
        InputError: data are missing, or the recipe or ``out`` is impossible.
        EdgesimError: the run failed; the message says what is kept.
    """
    import torch

    import partition
    from partition.progress import ConsoleProgress, Report

    # One thread is what makes the bytes the same on every machine with the same processor.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    held.begin()
    try:
        with ConsoleProgress() as bar:

            def progress(report: Report) -> None:
                held.check()
                bar(report)

            return partition.run(recipe, out, progress, work_dir=work)
    except partition.InputError as error:
        raise InputError(str(error)) from None
    except partition.PartitionError as error:
        raise EdgesimError(str(error)) from None

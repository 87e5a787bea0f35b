"""The commands that train and split a model, and measure what came of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgesim.cli.session import ScenarioOptions, Session
from edgesim.common.errors import EdgesimError, InputError, write_error
from edgesim.common.extras import require
from edgesim.common.folders import try_beside
from edgesim.common.options import argument, flag, option


@dataclass(frozen=True, kw_only=True)
class PartitionOptions(ScenarioOptions):
    """What is trained and split, and where the artifact goes."""

    out: Path = option("DIR", "Artifact folder; replaced at the end.", names=["--out", "-o"])
    work: Path | None = option(
        "DIR",
        "Folder of finished steps, which several runs may share.",
        None,
        show_default="OUT.work",
    )
    fresh: bool = flag("Ignore finished steps in the work folder, and replace them.")
    skip_damaged: bool = flag(
        "Leave damaged image files out, count and list them; as data.skip_damaged of the recipe."
    )


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as ``0,2``.

    Raises:
        ValueError: it is none.
    """
    try:
        return tuple(int(one) for one in text.split(","))
    except ValueError:
        raise ValueError(f"expected numbers of parts, such as 0,2, got {text}") from None


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What is measured, on which images."""

    artifact: Path = argument("ARTIFACT", "Folder that `edgesim partition` wrote.")
    data: Path | None = option(
        "DIR",
        "Folder of images, with a sub-folder for each class.",
        None,
        show_default="test images of the artifact's own data",
    )
    parts: list[str] | None = option(
        "N,N",
        "Numbers of the parts that answer; repeatable.",
        None,
        show_default="all but one, in turn",
    )
    form: list[str] | None = option(
        "FORM", "Form of the weights: fp32, fp16, bf16, int8; repeatable.", None,
        show_default="every form",
    )  # fmt: skip
    skip_damaged: bool = flag("Leave damaged image files out, count and list them.")


def evaluate(session: Session, options: EvaluateOptions) -> None:
    """Measure an artifact on images: unsplit, parts, fused, with parts missing, in every form."""
    from edgesim import partitioning
    from edgesim.report import artifact_tables

    require("`edgesim evaluate`", "train")
    try:
        subsets = [_numbers(text) for text in options.parts or ()]
    except ValueError as error:
        raise InputError(f"--parts: {error}") from None
    found = partitioning.evaluate(
        options.artifact, options.data, session.interrupts, subsets=subsets,
        forms=options.form or ("fp32", "fp16", "bf16", "int8"), skip_damaged=options.skip_damaged,
    )  # fmt: skip
    session.finish(
        found.to_dict(),
        partial(artifact_tables.show_evaluation, found, chosen=bool(subsets)),
        work="evaluation",
    )


def partition(session: Session, options: PartitionOptions) -> None:
    """Train, split, prune and fuse a scenario's model; write an artifact to simulate or serve."""
    from edgesim import partitioning
    from edgesim.report import artifact_tables

    require("`edgesim partition`", "train")
    recipe = partitioning.load(
        options.file, options.overrides or (), options.seed, skip_damaged=options.skip_damaged
    )
    out = options.out
    steps = options.work or out.with_name(f"{out.name}.work")
    # The artifact is renamed to its folder, and steps are written into theirs.
    for name, path, trial in (("--out", out, out), ("--work", steps, steps / "step")):
        for folder in (path, *path.parents):
            if os.path.lexists(folder) and not folder.is_dir():
                what = "a file" if folder.exists() else "a link to nothing"
                raise InputError(f"{name}: {folder} is {what}; name a folder")
        try:
            try_beside(trial)
        except OSError as error:
            raise write_error(f"{name}: cannot write to {path}", error) from None
    if out.is_symlink():
        raise InputError(f"--out: {out} is a link; name the folder itself")
    try:
        manifest = partitioning.make(recipe, out, steps, session.interrupts, fresh=options.fresh)
    except KeyboardInterrupt:
        raise EdgesimError(
            f"interrupted; finished steps are kept in {steps}, and the same command "
            f"{'without --fresh ' if options.fresh else ''}continues"
        ) from None
    session.finish(
        json.loads((out / "manifest.json").read_bytes()),
        partial(artifact_tables.show, manifest),
        written=out,
        hint=f". In a scenario: model: {{artifact: {out.resolve()}}}",
        work="partitioning",
    )

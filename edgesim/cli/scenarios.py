"""Commands that write, check and describe scenario files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from edgesim.cli.session import ScenarioOptions, Session, print_json
from edgesim.common.errors import InputError
from edgesim.common.options import argument, flag, option


class Starter(StrEnum):
    """For whom a starter scenario is."""

    PIS = "pis"
    LIGHT = "light"


@dataclass(frozen=True, kw_only=True)
class InitOptions:
    """Which starter is written, and where."""

    directory: Path = argument("DIR", "Folder to write cluster.yaml to.", Path("."))
    starter: Starter = option(
        "pis|light",
        "Starter to write: a model split over Raspberry Pis, or Pis beside an optical accelerator.",
        Starter.PIS,
        names=["--for"],
    )


@dataclass(frozen=True, kw_only=True)
class SchemaOptions:
    """Whose schema is printed."""

    result: bool = flag("Describe summary.json of a result instead.")
    study: bool = flag("Describe the study file instead.")


@dataclass(frozen=True, kw_only=True)
class CheckOptions(ScenarioOptions):
    """What is checked."""

    file: Path = argument("FILE", "Scenario or study file (YAML).")


def init(session: Session, options: InitOptions) -> None:
    """Write a commented starter scenario that runs."""
    from edgesim.common.files import write_text

    path = options.directory / "cluster.yaml"
    if options.directory.is_file():
        raise InputError(f"{options.directory} is a file, not a folder; name a folder")
    if path.exists():
        raise InputError(f"{path} exists already; name another directory, or move it away")
    write_text(path, starter_text(options.starter))
    session.finish({"file": str(path)}, written=path, hint=f". Try: edgesim run {path}")


def starter_text(starter: Starter) -> str:
    """Return the text of a commented scenario that runs as it stands."""
    return (Path(__file__).parent / "starters" / f"{starter}.yaml").read_text(encoding="utf-8")


def check(session: Session, options: CheckOptions) -> None:
    """Validate a scenario; print its plan, memory fit and bottleneck. Runs nothing.

    Of a study: its points and axes, and the plan of its first scenario. Of a recipe, and of a
    scenario whose model is yet to be trained: the commands that train and simulate it.
    """
    from edgesim import api, partitioning
    from edgesim.report import plan_tables
    from edgesim.scenario.document import UntrainedError
    from edgesim.sweep.reader import is_study

    if is_study(options.file):
        from edgesim.report import sweep_table

        if options.seed is not None:
            raise InputError("--seed is for a scenario; a study sets its seed with the key 'seed'")
        study = sweep_table.check(options.file, options.overrides or ())
        session.finish(study.document(), study.show)
        return
    if partitioning.is_recipe(options.file):
        _check_recipe(session, options, simulated=False)
        return
    try:
        scenario = options.load()
    except UntrainedError:
        _check_recipe(session, options, simulated=True)
        return
    checked = plan_tables.examine(scenario, api.place(scenario))
    session.finish(checked.document(), partial(plan_tables.show, checked))


def _check_recipe(session: Session, options: CheckOptions, *, simulated: bool) -> None:
    """Report a valid file whose model is yet to be trained, and the commands that come next.

    Args:
        session: the command.
        options: the file.
        simulated: whether the file is a scenario, not only a recipe.
    """
    from edgesim import partitioning
    from edgesim.report import artifact_tables

    recipe = partitioning.load(options.file, options.overrides or (), options.seed)
    session.finish(
        {"name": recipe.name, "trained": False, "scenario": simulated, "recipe": asdict(recipe)},
        partial(artifact_tables.show_recipe, recipe, options.file, simulated=simulated),
    )


def schema(session: Session, options: SchemaOptions) -> None:
    """Print the JSON Schema of the scenario file, for editors."""
    if options.result and options.study:
        raise InputError("expected one of --result and --study")
    if options.study:
        from edgesim.sweep.schema import schema
    elif options.result:
        from edgesim.results.summary import schema
    else:
        from edgesim.scenario.json_schema import schema
    document = schema()
    session.finish(document, lambda console: print_json(document))

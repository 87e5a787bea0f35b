"""``python -m edgesim.calibrate``: fits the catalog's figures and prints the prediction errors.

Errors are of published rows that the fit saw, and of models that it did not see.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import exp, expm1, log
from pathlib import Path
from statistics import fmean, median

import numpy as np

from edgesim.calibrate.families import FAMILIES, members
from edgesim.calibrate.fit import FamilyFit, document, fit
from edgesim.calibrate.left_out import GROUPS, coverage, fitted_rows, residuals_of
from edgesim.calibrate.left_out import text as left_out_text
from edgesim.calibrate.outside import is_outside, row_weight
from edgesim.calibrate.rows import KINDS, Row, rows, unused
from edgesim.common.errors import InputError
from edgesim.common.extras import require
from edgesim.common.files import write_text
from edgesim.graph import zoo

Group = Callable[[Row], str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Prediction errors of one published time.

    Attributes:
        row: row with the published time.
        seen: relative error of the fit to all rows.
        unseen: relative error of the fit that did not see the row's group.
    """

    row: Row
    seen: float
    unseen: float


def architecture(row: Row) -> str:
    """Group rows by graph: ViT and DeiT of one size have the same."""
    return row.architecture


def kinship(row: Row) -> str:
    """Group rows by family of models: every ViT and DeiT, every ResNet."""
    return zoo.info(row.published.model).family


def outcomes(family: str, group: Group = architecture) -> list[Outcome]:
    """Fit without each group of rows in turn, on all devices of a family of devices.

    Returns:
        One outcome for each row that may be fitted.
    """
    own = [row for name in members(family) for row in rows(name) if row.published.fit]
    whole = fit(family)
    found = []
    for name in dict.fromkeys(group(row) for row in own):
        out = [row for row in own if group(row) == name]
        part = fit(family, without={row.architecture for row in out})
        found += [Outcome(row, _error(whole, row), _error(part, row)) for row in out]
    return found


def _error(found: FamilyFit, row: Row) -> float:
    return found.time_s(row) / row.published.latency_s - 1.0


def merge_duplicates(found: Iterable[Outcome]) -> list[Outcome]:
    """Count rows of one graph under the same conditions once, with the mean of their errors.

    ViT-B and DeiT-B are the same computation: two rows of them are not two tests.
    """
    alike: dict[tuple[object, ...], list[Outcome]] = {}
    for one in found:
        what = one.row.published
        key = (one.row.device, one.row.architecture, what.precision, what.batch, what.runtime)
        alike.setdefault(key, []).append(one)
    return [
        Outcome(
            same[0].row,
            exp(fmean(log(1.0 + one.seen) for one in same)) - 1.0,
            exp(fmean(log(1.0 + one.unseen) for one in same)) - 1.0,
        )
        for same in alike.values()
    ]


@dataclass(frozen=True, slots=True)
class Spread:
    """Absolute errors of some rows: their number, median and 90th percentile."""

    count: int
    median: float
    most: float

    @classmethod
    def of(cls, errors: Iterable[float]) -> Spread:
        """Return the spread of relative errors."""
        sizes = [abs(error) for error in errors]
        return cls(len(sizes), median(sizes), float(np.quantile(sizes, 0.9)))

    def __str__(self) -> str:
        return f"{self.median:7.1%} {self.most:7.1%}"


def report(
    *, rows: bool = False, progress: Callable[[int, str], None] = lambda _done, _what: None
) -> str:
    """Return the tables that ``python -m edgesim.calibrate`` prints.

    Args:
        rows: whether every row is printed.
        progress: called with the steps that are done, of two a family, and the one that begins.
    """
    found: dict[str, list[Outcome]] = {}
    kin: list[Outcome] = []
    for at, family in enumerate(FAMILIES):
        progress(2 * at, f"{family}: without each model, source and device")
        whole = fit(family)
        found[family] = [
            Outcome(row, _error(whole, row), expm1(one.errors["model"]))
            for row, one in zip(fitted_rows(family), residuals_of(family), strict=True)
        ]
        progress(2 * at + 1, f"{family}: without each kind of model")
        kin += outcomes(family, kinship)
    every = [one for some in found.values() for one in some]
    unseen, seen = Spread.of(o.unseen for o in every), Spread.of(o.seen for o in every)
    once = Spread.of(o.unseen for o in merge_duplicates(every))
    strange = Spread.of(o.unseen for o in kin)
    lines = [
        f"Median error of the time of models that the fit did not see: {unseen.median:.1%} of "
        f"{unseen.count} published rows.",
        f"Seen rows: {seen.median:.1%}. Rows of the same computation (ViT and DeiT) counted once: "
        f"{once.median:.1%} of {once.count}.",
        f"Without any model of its kind (no ViT for a ViT): {strange.median:.1%}.",
        "",
        f"{'':<26} {'':>5} {'seen':>15} {'not seen':>15}",
        f"{'':<26} {'rows':>5}{' median 9 in 10' * 2}",
    ]
    for family, some in found.items():
        lines.append(_line(family, some))
        for device in members(family):
            own = [one for one in some if one.row.device == device]
            lines.append(_line(f"  {device}", own) if own else f"  {device:<24} {0:>5}")
            if rows:
                lines += [_row(one) for one in own]
    lines += [_line("all", every), "", *_coverage(), "", *_outside(every), "", *_bounds()]
    lines += ["", *_unused()]
    return "\n".join(lines)


def _coverage() -> list[str]:
    """Return the lines that say how many published times lie in a range made without them."""
    every = [one for family in FAMILIES for one in residuals_of(family)]
    held = {without: coverage(every, without) for without in GROUPS}
    lines = [
        "Published times inside the range of 90 % that is made without any time of their model, of "
        "their source,",
        "or of their device; ×: the median range is from a times less to a times more.",
        f"{'':<26} {'rows':>5}" + "".join(f"{f'without {one}':>22}" for one in GROUPS),
    ]
    for family in (*FAMILIES, ""):
        for device in ("", *(members(family) if family else ())):
            cells, count = [], 0
            for some in held.values():
                own = [
                    one
                    for one in some
                    if family in ("", one.row.at.family) and device in ("", one.row.at.device)
                ]
                count = len(own)
                if own:
                    inside = fmean(one.inside for one in own)
                    cells.append(f"{inside:13.0%} × {exp(median(one.size for one in own)):6.2f}")
            label = f"  {device}" if device else family or "all"
            lines.append(f"{label:<26} {count:>5}{''.join(cells)}")
    return lines


def _line(label: str, found: Sequence[Outcome]) -> str:
    seen, unseen = Spread.of(o.seen for o in found), Spread.of(o.unseen for o in found)
    return f"{label:<26} {seen.count:>5}{seen}{unseen}"


def _row(one: Outcome) -> str:
    what = one.row.published
    conditions = f"{what.precision}, batch {what.batch}, {what.runtime}"
    return (
        f"    {what.model:<30} {conditions:<38} {1e3 * what.latency_s:9.2f} ms "
        f"{one.seen:+8.1%} {one.unseen:+8.1%}"
    )


def _outside(every: Sequence[Outcome]) -> list[str]:
    """Return the lines that name the rows far outside, which count little in a fit."""
    lines = [
        f"  {one.row.device:<24} {one.row.published.model:<30} "
        f"{one.row.published.precision}, {one.row.published.runtime:<18} {one.seen:+8.1%}, "
        f"counts {row_weight(one.seen):.0%}"
        for one in every
        if is_outside(one.seen)
    ]
    return ["Far outside what the other rows say:", *lines] if lines else ["No row is far outside."]


def _bounds() -> list[str]:
    """Return the lines that name each device's unknowns at a bound of the fit."""
    lines = []
    for family in FAMILIES:
        found = fit(family)
        names = ["memory bandwidth", "launch overhead", "half-saturation"]
        names += [f"{key} {kind}" for key in found.problem.unknowns.precisions for kind in KINDS]
        for device, one in found.devices.items():
            at = [name for name, bound in zip(names, one.bound, strict=True) if bound]
            if at:
                lines.append(f"  {device:<24} {', '.join(at)}")
    return ["At a bound:", *lines] if lines else ["Nothing stands at a bound."]


def _unused() -> list[str]:
    """Return the lines that name the published rows that no fit saw, with reasons."""
    lines = [
        f"  {device:<24} {published.model:<22} {reason}"
        for family in FAMILIES
        for device in members(family)
        for published, reason in unused(device)
    ]
    return ["Published rows that no fit saw:", *lines] if lines else ["Every row was used."]


def main() -> None:
    """Fit, print, and with ``--write`` put the figures into the catalog."""
    parser = argparse.ArgumentParser(
        prog="python -m edgesim.calibrate",
        description="Fit efficiencies, overheads and bandwidths to published figures.",
    )
    parser.add_argument("--write", action="store_true", help="write the catalog's fitted figures")
    parser.add_argument("--rows", action="store_true", help="print every row")
    arguments = parser.parse_args()
    try:
        require(parser.prog, "profile")
    except InputError as error:
        parser.exit(2, f"{error}\n")
    if arguments.write:
        path = Path(str(files("edgesim.hardware.catalog") / "fitted.json"))
        write_text(path, json.dumps(document(), indent=1) + "\n")
        errors = path.with_name("left_out.json")
        write_text(errors, left_out_text())
        print(f"Wrote {path.name} and {errors.name}\n")
    from rich.console import Console
    from rich.progress import Progress

    # Tables go to stdout, progress to stderr.
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=2 * len(FAMILIES))
        text = report(
            rows=arguments.rows,
            progress=lambda done, what: bar.update(task, completed=done, description=what),
        )
    print(text)


if __name__ == "__main__":
    main()

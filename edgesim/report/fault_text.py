"""What the console and the page say of faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgesim.common.text import digits, duration, joules

_BY = {
    "first try": "at the first try",
    "retry": "on a retry",
    "hedge": "by a hedge",
    "standby": "by a standby",
    "reassigned": "from a new home",
}
_WHY = {
    "crash": "lost in a crash",
    "deadline": "past a deadline",
    "timeout": "not answered in time",
    "out of service": "of nodes that were out of service",
    "nobody takes the answer": "whose answer nobody could take",
}
NODE_COLUMNS = ("", "failures", "down", "available", "slow", "hottest", "charge")


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """Return what is told of faults before the tables; nothing where none could be."""
    found = summary.get("faults")
    if found is None:
        return []
    told = [f"{share(found['availability'])} of the requests answered"]
    if found["whole"] != found["availability"]:
        told[0] += f", {share(found['whole'])} in full"
    means = [f"{many:,} {_BY.get(name, name)}" for name, many in found["answered"].items()]
    if means[1:] or (means and "first try" not in found["answered"]):
        told.append(", ".join(means))
    if found["reasons"]:
        reasons = (
            f"{many:,} {_WHY.get(name, name)}" for name, many in sorted(found["reasons"].items())
        )
        told.append("without an answer: " + ", ".join(reasons))
    if found["failures"]:
        times = f"{found['failures']:,} failures"
        if found["recover_mean_s"] is not None:
            times += (
                f", whole answers again after {duration(found['recover_mean_s'])} on average, "
                f"{duration(found['recover_max_s'])} at most"
            )
        if found["recover_never"]:
            times += f", {found['recover_never']:,} without one until the end"
        told.append(times)
    if found["lost_j"]:
        told.append(
            f"{joules(found['lost_j'])} spent on work that no answer used, "
            f"{joules(found['used_j'])} on work that one did"
        )
    return told


def share(value: float | None) -> str:
    """Return a share near 1, which three digits would round: ``99.87 %``."""
    return "-" if value is None else f"{digits(100 * value, 4)} %"


def rows(section: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Return the lines of the table of nodes or links."""
    return [
        [
            name,
            f"{row['failures']:,}",
            duration(row["down_s"]),
            share(row["availability"]),
            duration(row["slow_s"]),
            "-" if row["hottest_c"] is None else f"{row['hottest_c']:.1f} °C",
            "-" if row["charge_j"] is None else joules(row["charge_j"]),
        ]
        for name, row in section.items()
    ]


def columns(section: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """Return which columns any line has something in."""
    table = rows(section)
    empty = ("-", "0 s", "0")
    return [
        index
        for index in range(len(NODE_COLUMNS))
        if index in (0, 2, 3) or any(row[index] not in empty for row in table)
    ]

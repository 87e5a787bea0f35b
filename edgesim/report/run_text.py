"""What the console and the page both tell of a run: sentences, notes, and rows of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgesim.common.text import digits, duration, half_width, joules, percent, rate, size
from edgesim.results.accuracy import accuracy_text
from edgesim.results.faults import availability_text
from edgesim.results.statistics import requests_for_interval

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

BASELINE_COLUMNS = (
    "The whole model on one device: latency and energy of a request, same traffic", "latency",
    "cluster is", "energy", "idle", "and uses", "at most",
)  # fmt: skip
"""Title and headings."""


def baseline_notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the comparison needs to be understood."""
    yield (
        "idle: share of the energy that is drawn whether or not requests come; the more come, the "
        "less of it for each"
    )
    rows = summary["baselines"].values()
    if any(row.get("settled") is False for row in rows):
        yield "one alone: a request that waits for no other, on the device and on the cluster"
    if any(row.get("best_batch") and row["best_batch"]["batch"] > 1 for row in rows):
        yield (
            "batch: so many requests at once give the highest throughput that memory allows; the "
            "device always busy"
        )


@dataclass(frozen=True, slots=True)
class BaselineLine:
    """One line of the comparison; ``aside`` where it only explains the one above."""

    cells: tuple[str, ...]
    aside: bool = False


def baseline_rows(summary: Mapping[str, Any]) -> Iterator[BaselineLine]:
    """Yield the lines of the comparison: the cluster, then each baseline, cells as text."""
    energy = summary["energy_j"]["per_request"]
    yield BaselineLine(
        (
            "this cluster", duration(summary["latency_s"]["mean"]), "", joules(energy),
            percent(idle_share(summary)), "", rate(summary["plan"]["capacity_per_s"]),
        )
    )  # fmt: skip
    own = summary["plan"]["precision"]
    for name, row in summary["baselines"].items():
        label = name if row["precision"] == own else f"{name}, {row['precision']}"
        if row.get("misfit_bytes"):
            yield BaselineLine((label, f"lacks {size(row['misfit_bytes'])}", *[""] * 5), True)
            continue
        per_request, idle = row["energy_j_per_request"], row["idle_j_per_request"]
        unloaded = row["unloaded_latency_s"]
        yield BaselineLine(
            (
                label,
                duration(row["latency_s"]) if row["settled"] else "overloaded",
                _factor(row["speedup"], "faster", "slower") if row["settled"] else "-",
                joules(per_request),
                percent(idle / per_request if per_request else None),
                _factor(row["energy_ratio"], "less", "more"),
                rate(1.0 / unloaded if unloaded else None),
            )
        )
        alone = summary["plan"]["unloaded_latency_s"]
        if not row["settled"] and unloaded and alone:
            factor = _factor(unloaded / alone, "faster", "slower")
            yield BaselineLine(("  one alone", duration(unloaded), factor, *[""] * 4), True)
        best = row.get("best_batch")
        if best and best["batch"] > 1:
            yield BaselineLine(
                (
                    f"  batch {best['batch']}", duration(best["latency_s"]), "",
                    joules(best["energy_j_per_request"]), "", "",
                    rate(best["throughput_per_s"]),
                ),
                True,
            )  # fmt: skip


def _factor(ratio: float | None, above: str, below: str) -> str:
    """Return a ratio of baseline to cluster as what the cluster is: ``3.2× faster``."""
    if not ratio:
        return "-"
    if abs(ratio - 1.0) < 0.005:
        return "the same"
    return f"{digits(ratio)}× {above}" if ratio > 1.0 else f"{digits(1.0 / ratio)}× {below}"


def idle_share(summary: Mapping[str, Any]) -> float | None:
    """Return the share of the cluster's energy that its nodes draw idle or not."""
    total = summary["energy_j"]["total"]
    if not total:
        return None
    idle = math.fsum(node["idle_j"] for node in summary["nodes"].values())
    return idle / float(total)


def half_widths(summary: Mapping[str, Any]) -> list[str]:
    """Return the half width of each statistic's interval, a dash where there is none."""
    intervals = summary["confidence_95"]
    found = [intervals.get(name) for name in summary["latency_s"]]
    return ["-" if one is None else duration(half_width(one)) for one in found]


def interval_notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the row of half widths needs to be understood."""
    intervals = summary["confidence_95"]
    if any(one is not None and half_width(one) == 0.0 for one in intervals.values()):
        yield "± 0 s: requests that wait for nothing all take the same time"
    runs = summary["replications"]
    missing = [
        f"{requests_for_interval(name, runs):,} for {name}"
        for name, one in intervals.items()
        if one is None
    ]
    if missing and summary["latency_s"]["mean"] is not None:
        each = " in each replication" if runs > 1 else ""
        yield f"-: an interval takes more answered requests{each}: {', '.join(missing)}"


def accuracy_sentence(summary: Mapping[str, Any]) -> str | None:
    """Return the sentence on accuracy, to follow that word; None where nothing was measured."""
    found = summary["accuracy"]
    if found is None:
        return None
    samples = f"{found['dataset']}, {found['samples']:,} test images"
    whole, unsplit = found["top1_all_parts"], found["top1_unsplit"]
    if found["top1"] is None:
        return f"not known of these answers; {accuracy_text(whole)} with every part ({samples})"
    told = f"{accuracy_text(found['top1'])} of the answers are right"
    if "top1_expected" in found:  # measured on the images that were sent; the rest, on all
        told += f" ({samples}); on all of them {accuracy_text(found['top1_expected'])} would be"
        return told + (
            f", the unsplit model's {accuracy_text(unsplit)}" if whole != unsplit else ""
        )
    if summary["requests"]["degraded"]:
        told += f", degraded ones included; {accuracy_text(whole)} with every part"
    if whole != unsplit:
        told += f"; the unsplit model {accuracy_text(unsplit)}"
    return f"{told} ({samples})"


def fault_sentences(summary: Mapping[str, Any]) -> list[str]:
    """Return what is told of faults before the tables; nothing where none could be."""
    found = summary.get("faults")
    if found is None:
        return []
    told = [f"{availability_text(found['availability'])} of the requests answered"]
    if found["whole"] != found["availability"]:
        told[0] += f", {availability_text(found['whole'])} in full"
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


PARTS_TITLE = "Energy by part"
_MOST_DEVICES = 4


def device_parts(summary: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return joules by device and part, all nodes of a device together; at most four devices."""
    found: dict[str, dict[str, float]] = {}
    for node in summary["nodes"].values():
        for part, value in node.get("energy_by_part_j", {}).items():
            parts = found.setdefault(node["device"], {})
            parts[part] = parts.get(part, 0.0) + value
    largest = sorted(found, key=lambda name: -sum(found[name].values()))[:_MOST_DEVICES]
    return {name: found[name] for name in found if name in largest}


def part_rows(found: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Return a row for each part with joules and share on every device, the largest first."""
    totals = {name: sum(parts.values()) for name, parts in found.items()}
    shares: dict[str, float] = {}
    for name, parts in found.items():
        for part, value in parts.items():
            share = value / totals[name] if totals[name] else 0.0
            shares[part] = max(shares.get(part, 0.0), share)
    made = []
    for part in sorted((part for part in shares if shares[part]), key=lambda one: -shares[one]):
        cells = [part]
        for name, parts in found.items():
            value = parts.get(part, 0.0)
            cells += [joules(value), percent(value / totals[name])] if value else ["", ""]
        made.append(cells)
    return made

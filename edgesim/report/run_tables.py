"""The tables and sentences of a run that the console, its page and notebooks share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from edgesim.common.text import digits, duration, half_width, joules, percent, rate, size
from edgesim.report.table import Cell, Figure, Row, Table, figure
from edgesim.results.accuracy import accuracy_text
from edgesim.results.faults import availability_text
from edgesim.results.statistics import requests_for_interval

_BY = {
    "first try": "at the first try",
    "retry": "on a retry",
    "hedge": "by a hedged copy",
    "standby": "by a standby node",
    "reassigned": "after a reassignment",
}
NO_BOUND = "no bound"
_WHY = {
    "crash": "lost in a crash",
    "deadline": "past a deadline",
    "timeout": "not answered in time",
    "out of service": "sent to nodes out of service",
    "nobody takes the answer": "without a node to take the answer",
}


def answered(summary: Mapping[str, Any]) -> str:
    """Return how many requests were answered, in full or degraded."""
    requests = summary["requests"]
    whole = requests["completed"] + requests["degraded"]
    return f"{whole:,} of {requests['offered']:,} requests answered"


def baseline_notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the comparison needs to be understood."""
    yield (
        "idle: share of the energy that is drawn with or without requests; the more requests, the "
        "less of it for each"
    )
    rows = summary["baselines"].values()
    runtimes = [
        f"{name} by {row['runtime']}"
        for name, row in summary["baselines"].items()
        if row.get("runtime") and not name.endswith(f"/{row['runtime']}")
    ]
    if runtimes:
        yield f"software: {', '.join(runtimes)}"
    if any(row.get("settled") is False for row in rows):
        yield "one alone: one request without a queue, on the device and on the cluster"
    if any(row.get("best_batch") and row["best_batch"]["batch"] > 1 for row in rows):
        yield (
            "batch: number of requests at once with the highest throughput that memory allows, on "
            "a device that is always busy"
        )


def baselines(summary: Mapping[str, Any]) -> Table:
    """Return the comparison: the cluster, then the whole model on one device of each kind."""
    energy = summary["energy_j"]["per_request"]
    own, alone = summary["plan"]["precision"], summary["plan"]["unloaded_latency_s"]
    capacity = rate(summary["plan"]["capacity_per_s"])
    rows = [
        # Without a power of the devices the joules are 0.
        Row((f"this cluster{_bits(summary)}", duration(summary["latency_s"]["mean"]), "",
             joules(energy or None), percent(idle_share(summary)), "", capacity)),
    ]  # fmt: skip
    for name, row in summary["baselines"].items():
        label = name if row["precision"] == own else f"{name}, {row['precision']}"
        if row.get("misfit_bytes"):
            rows.append(Row((label, f"lacks {size(row['misfit_bytes'])}", *[""] * 5)))
            continue
        per_request, idle = row["energy_j_per_request"], row["idle_j_per_request"]
        unloaded, settled, best = row["unloaded_latency_s"], row["settled"], row.get("best_batch")
        rows.append(
            Row(
                (
                    label,
                    duration(row["latency_s"]) if settled else "overloaded",
                    _factor(row["speedup"], "faster", "slower") if settled else "-",
                    joules(per_request or None),
                    percent(idle / per_request if per_request else None),
                    _factor(row["energy_ratio"], "less", "more"),
                    rate(1.0 / unloaded if unloaded else None),
                )
            )
        )
        if not settled and unloaded and alone:
            factor = _factor(unloaded / alone, "faster", "slower")
            rows.append(Row(("one alone", duration(unloaded), factor, *[""] * 4), aside=True))
        if best and best["batch"] > 1:
            rows.append(
                Row(
                    (
                        f"batch {best['batch']}", duration(best["latency_s"]), "",
                        joules(best["energy_j_per_request"] or None), "", "",
                        rate(best["throughput_per_s"]),
                    ),
                    aside=True,
                )
            )  # fmt: skip
    return Table(
        "The whole model on one device: latency and energy of a request, same traffic",
        ["", "latency", "cluster is", "energy", "idle", "and uses", "at most"],
        rows,
        notes=[*baseline_notes(summary), *alone_sentences(alone_of(summary))],
    )


def alone_of(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the devices that are faster or cheaper by themselves, of a summary."""
    return list((summary["plan"].get("alone") or {}).values())


def alone_sentences(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each device that is faster or cheaper than the cluster by itself."""
    found = []
    for row in rows:
        speed = _factor(row["speedup"], "faster", "slower")
        energy = _factor(row["energy_ratio"], "less energy", "more energy")
        of_energy = "" if energy == "-" else f", {energy}" if energy != "the same" else ", as much"
        found.append(
            f"One {row['name']} alone: {speed if speed != 'the same' else 'as fast'}{of_energy}, "
            "for one request without a queue"
        )
    return found


def _bits(summary: Mapping[str, Any]) -> str:
    """Return the least effective bits of the cluster's light, to stand beside a precision."""
    found = [node.get("effective_bits") for node in summary["nodes"].values()]
    known = [one for one in found if one is not None]
    return f", {min(known):.1f} effective bits" if known else ""


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


def latency(summary: Mapping[str, Any], *, ends: bool) -> Table:
    """Return the statistics of latency with their 95 % intervals.

    Args:
        summary: as in ``summary.json``.
        ends: whether both ends of each interval have a column, beside its half width.
    """
    lines: list[list[Cell]] = []
    for key in summary["latency_s"]:
        interval = summary["confidence_95"].get(key)
        half = "-" if interval is None else f"± {duration(half_width(interval))}"
        both = "-" if interval is None else " to ".join(map(duration, interval))
        shown = figure(summary, ("latency_s", key), duration)
        lines.append([key, shown, half, *([both] if ends else [])])
    head = ["", "latency", "± (95 %)", *(["95 % interval"] if ends else [])]
    notes = list(interval_notes(summary))
    return Table("Latency of answered requests", head, lines, notes=notes, aside={len(head) - 1})


def breakdown(
    summary: Mapping[str, Any], slowest: Mapping[str, Mapping[str, float]] | None = None
) -> Table:
    """Return where the time of a mean request goes.

    Args:
        summary: as in ``summary.json``.
        slowest: seconds by part of other requests, by what they are called.
    """
    mean = summary["breakdown_s"]
    columns = {"mean": mean, **(slowest or {})}
    wholes = {title: sum(parts.values()) for title, parts in columns.items()}
    lines: list[list[Cell]] = []
    for part in mean:
        cells: list[Cell] = [part]
        for title, parts in columns.items():
            whole, value = wholes[title], duration(parts[part])
            key = f"breakdown_s.{part}"
            cells.append(Figure(value, key, mean[part]) if title == "mean" else value)
            cells.append(percent(parts[part] / whole if whole else None))
        lines.append(cells)
    lines.append(["all", *(cell for whole in wholes.values() for cell in (duration(whole), ""))])
    head = ["", *(cell for title in columns for cell in (title, "share"))]
    return Table("Time of a request by part", head, lines)


def ranges(summary: Mapping[str, Any]) -> Table | None:
    """Return the ranges of 90 % from the devices' errors; None where a run has none."""
    found = summary.get("range_90")
    if found is None:
        return None

    def ends(pair: Any, text: Callable[[Any], str]) -> list[Cell]:
        if pair is None:
            return ["-", "-"]
        return [NO_BOUND if end is None else text(end) for end in pair]

    lines: list[list[Cell]] = [
        [f"latency, {name}", duration(summary["latency_s"][name]), *ends(pair, duration)]
        for name, pair in found["latency_s"].items()
    ]
    lines.append(
        [
            "throughput", rate(summary["throughput_per_s"]),
            *ends(found["throughput_per_s"], rate),
        ]
    )  # fmt: skip
    lines.append(
        ["at most", rate(summary["plan"]["capacity_per_s"]), *ends(found["capacity_per_s"], rate)]
    )
    per_request = summary["energy_j"]["per_request"]
    if per_request:
        ends_j = ends(found["energy_j"]["per_request"], joules)
        lines.append(["energy a request", joules(per_request), *ends_j])
    notes = []
    for name, one in found["devices"].items():
        low, high = one["time"]
        notes.append(
            f"{name}: 9 of 10 times lie {digits(low)} to {digits(high)} times as long as predicted"
        )
    return Table(
        "Range of 90 %, by how far predictions miss",
        ["", "predicted", "low", "high"],
        lines,
        notes=[*notes, *found["notes"]],
    )


def interval_notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the half widths of intervals need to be understood."""
    intervals = summary["confidence_95"]
    zero = [one is not None and half_width(one) == 0.0 for one in intervals.values()]
    known = [one is not None for one in intervals.values()]
    if any(zero):
        yield (
            "± 0 s: no request waited, so all have the same latency"
            if zero == known
            else "± 0 s: many requests did not wait, so all of these have this latency"
        )
    runs = summary["replications"]
    missing = [
        f"{requests_for_interval(name, runs):,} for {name}"
        for name, one in intervals.items()
        if one is None
    ]
    if missing and summary["latency_s"]["mean"] is not None:
        each = " in each replication" if runs > 1 else ""
        requests = summary["requests"]
        answers = (requests["completed"] + requests["degraded"]) / runs
        enough = any(
            one is None and requests_for_interval(name, runs) <= answers
            for name, one in intervals.items()
        )
        warmup = "; those of the warm-up do not count" if enough else ""
        yield f"-: an interval needs more answered requests{each}: {', '.join(missing)}{warmup}"


def accuracy_sentence(summary: Mapping[str, Any]) -> str | None:
    """Return the sentence on accuracy, to follow that word; None where nothing was measured."""
    found = summary["accuracy"]
    if found is None:
        return None
    samples = f"{found['dataset']}, {found['samples']:,} test images"
    if "light" in found:
        samples += f" on light: {found['light']}"
    whole, unsplit = found["top1_all_parts"], found["top1_unsplit"]
    if found["top1"] is None:
        return f"not known of these answers; {accuracy_text(whole)} with every part ({samples})"
    sentence = f"{accuracy_text(found['top1'])} of the answers are right"
    if "top1_expected" in found:  # measured on the images that were sent; the rest, on all
        sentence += f" ({samples}); on all of them {accuracy_text(found['top1_expected'])} would be"
        return sentence + (
            f", the unsplit model's {accuracy_text(unsplit)}" if whole != unsplit else ""
        )
    if summary["requests"]["degraded"]:
        sentence += f", degraded ones included; {accuracy_text(whole)} with every part"
    if whole != unsplit:
        sentence += f"; the unsplit model {accuracy_text(unsplit)}"
    return f"{sentence} ({samples})"


def fault_sentences(summary: Mapping[str, Any]) -> list[str]:
    """Return what is sentences of faults before the tables; nothing where none could be."""
    found = summary.get("faults")
    if found is None:
        return []
    sentences = [f"{availability_text(found['availability'])} of the requests answered"]
    if found["whole"] != found["availability"]:
        sentences[0] += f", {availability_text(found['whole'])} in full"
    means = [f"{many:,} {_BY.get(name, name)}" for name, many in found["answered"].items()]
    if means[1:] or (means and "first try" not in found["answered"]):
        sentences.append(", ".join(means))
    if found["reasons"]:
        reasons = (
            f"{many:,} {_WHY.get(name, name)}" for name, many in sorted(found["reasons"].items())
        )
        sentences.append("without an answer: " + ", ".join(reasons))
    if found["failures"]:
        times = f"{found['failures']:,} failures"
        if found["recover_mean_s"] is not None:
            times += (
                f", whole answers again after {duration(found['recover_mean_s'])} on average, "
                f"{duration(found['recover_max_s'])} at most"
            )
        if found["recover_never"]:
            times += f", {found['recover_never']:,} without one until the end"
        sentences.append(times)
    if found["lost_j"]:
        sentences.append(
            f"{joules(found['lost_j'])} spent on work that no answer used, "
            f"{joules(found['used_j'])} on work that one did"
        )
    return sentences


_MOST_DEVICES = 4


def energy_by_part(summary: Mapping[str, Any]) -> Table | None:
    """Return joules and shares by part of each device that has parts; None where none has.

    All nodes of a device together, at most four devices; the largest part first.
    """
    found: dict[str, dict[str, float]] = {}
    for node in summary["nodes"].values():
        for part, value in node.get("energy_by_part_j", {}).items():
            parts = found.setdefault(node["device"], {})
            parts[part] = parts.get(part, 0.0) + value
    totals = {name: sum(parts.values()) for name, parts in found.items()}
    shown = set(sorted(found, key=lambda name: -totals[name])[:_MOST_DEVICES])
    found = {name: parts for name, parts in found.items() if name in shown}
    shares: dict[str, float] = {}
    for name, parts in found.items():
        for part, value in parts.items():
            share = value / totals[name] if totals[name] else 0.0
            shares[part] = max(shares.get(part, 0.0), share)
    lines = []
    for part in sorted((part for part in shares if shares[part]), key=lambda one: -shares[one]):
        cells = [part]
        for name, parts in found.items():
            value = parts.get(part, 0.0)
            cells += [joules(value), percent(value / totals[name])] if value else ["", ""]
        lines.append(cells)
    head = ["", *(cell for name in found for cell in (name, "share"))]
    return Table("Energy by part", head, lines) if found else None

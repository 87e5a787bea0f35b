"""Traces every model of timm, and writes what came out beside what timm and torch count.

Run ``python -m tests.edgesim.graph.timm_table`` in the environment of ``make peers``. It goes on
where it was interrupted: lines of the table that are there already are not made again, unless they
are of another version of timm. ``--summary`` prints the counts of the table.
"""

from __future__ import annotations

import argparse
import csv
import gc
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from edgesim.common.files import write_text
from edgesim.graph.trace import trace
from tests.partition.peers.bare_torchvision import import_timm

TABLE = Path(__file__).with_suffix(".csv")
COLUMNS = ("timm", "name", "family", "macs", "counted_macs", "params", "timm_params",
           "error", "uncounted")  # fmt: skip


def rows() -> list[dict[str, str]]:
    """Return the lines of the table; none where there is none yet."""
    if not TABLE.exists():
        return []
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def verdict(row: dict[str, str]) -> str:
    """Return what came out, in one word; torch's counter stops at some models on ``meta``."""
    if row["error"]:
        return "failed"
    if row["params"] != row["timm_params"] or row["counted_macs"] not in ("", row["macs"]):
        return "inexact"
    return "exact" if row["counted_macs"] else "uncounted"


def by_family(timm: Any) -> Iterator[tuple[str, str]]:
    """Iterate over (family, name): the first name of each family, then the second, and so on."""
    families: dict[str, list[str]] = {}
    for name in timm.list_models():
        family = timm.model_entrypoint(name).__module__.rpartition(".")[2]
        families.setdefault(family, []).append(name)
    rank = 0
    while families:
        for family in list(families):
            if rank < len(families[family]):
                yield family, families[family][rank]
            else:
                del families[family]
        rank += 1


def row_of(timm: Any, family: str, name: str) -> dict[str, Any]:
    """Return the line of a model, traced without weights."""
    row: dict[str, Any] = {"timm": timm.__version__, "name": name, "family": family}
    try:
        with torch.device("meta"):
            module = timm.create_model(name, pretrained=False).eval()
            example = torch.empty(1, *module.pretrained_cfg.get("input_size", (3, 224, 224)))
        row["timm_params"] = sum(one.numel() for one in module.parameters())
        graph = trace(module, example, name=name)
        row |= {"macs": graph.macs, "params": graph.params}
    except Exception as error:
        return row | {"error": _told(error)}
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(example)
        row["counted_macs"] = counter.get_total_flops() // 2
    except Exception as error:
        row["uncounted"] = _told(error)
    return row


def _told(error: Exception) -> str:
    text = str(error).strip() or "nothing said"
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}"


def fill(limit: int | None) -> None:
    """Add the lines that the table lacks, at most ``limit``."""
    timm = import_timm()
    known = [row for row in rows() if row["timm"] == timm.__version__]
    done = {row["name"] for row in known}
    missing = [pair for pair in by_family(timm) if pair[1] not in done][:limit]
    with TABLE.open("w" if not known else "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not known:
            writer.writeheader()
        for number, (family, name) in enumerate(missing, start=1):
            row = row_of(timm, family, name)
            writer.writerow(row)
            file.flush()
            print(f"{number}/{len(missing)} {name} {row.get('error', '')}", file=sys.stderr)
            gc.collect()
    ordered = sorted(rows(), key=lambda row: row["name"])
    lines = [",".join(COLUMNS), *(_line(row) for row in ordered)]
    write_text(TABLE, "\n".join(lines) + "\n")


def _line(row: dict[str, str]) -> str:
    texts = (row[key] for key in COLUMNS)
    return ",".join(
        '"' + text.replace('"', '""') + '"' if any(one in text for one in ',"') else text
        for text in texts
    )


def summary() -> str:
    """Return the counts of the table in one line."""
    found = rows()
    counts = Counter(map(verdict, found))
    return (
        f"{len(found)} models of {len({row['family'] for row in found})} families: "
        f"{counts['exact']} with MACs and parameters of torch and timm, {counts['uncounted']} with "
        f"the parameters and no count of torch, {counts['inexact']} with others, "
        f"{counts['failed']} not traced"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, help="make at most so many lines")
    parser.add_argument("--summary", action="store_true", help="print the counts and stop")
    given = parser.parse_args()
    if not given.summary:
        fill(given.limit)
    print(summary())

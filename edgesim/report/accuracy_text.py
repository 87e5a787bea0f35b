"""What the console and the page say of how often answers are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def accuracy(share: float | None) -> str:
    """Return a share of right answers in hundredths of a point, such as ``91.52 %``."""
    return "-" if share is None else f"{100 * share:.2f} %"


def sentence(summary: Mapping[str, Any]) -> str | None:
    """Return the sentence on accuracy, to follow that word; None where nothing was measured."""
    found = summary["accuracy"]
    if found is None:
        return None
    samples = f"{found['dataset']}, {found['samples']:,} test images"
    whole, unsplit = found["top1_all_parts"], found["top1_unsplit"]
    if found["top1"] is None:
        return f"not known of these answers; {accuracy(whole)} with every part ({samples})"
    told = f"{accuracy(found['top1'])} of the answers are right"
    if "top1_expected" in found:  # measured on the images that were sent; the rest, on all
        told += f" ({samples}); on all of them {accuracy(found['top1_expected'])} would be"
        return told + (f", the unsplit model's {accuracy(unsplit)}" if whole != unsplit else "")
    if summary["requests"]["degraded"]:
        told += f", degraded ones included; {accuracy(whole)} with every part"
    if whole != unsplit:
        told += f"; the unsplit model {accuracy(unsplit)}"
    return f"{told} ({samples})"

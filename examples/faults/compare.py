"""Runs every example of this folder and prints a table that compares their recovery policies."""

from __future__ import annotations

from pathlib import Path

from edgesim import api
from edgesim.common.text import duration, joules
from edgesim.results.accuracy import accuracy_text
from edgesim.results.faults import availability_text

NAMES = (
    "none", "retry", "patient", "checks", "standby", "reassign", "hedge", "links", "heat",
    "battery", "memory",
)  # fmt: skip

HEAD = (
    "example", "answered", "complete", "accuracy", "p50", "p99", "p99.9", "recovery time",
    "energy per request", "energy lost",
)  # fmt: skip


def main() -> None:
    """Print the table, as Markdown."""
    print("| " + " | ".join(HEAD) + " |")
    print("|---" * len(HEAD) + "|")
    for name in NAMES:
        scenario = api.load(Path(__file__).parent / f"{name}.yaml")
        summary = api.run(scenario, trace_requests=0).summary
        faults, latency = summary["faults"], summary["latency_s"]
        right = summary["accuracy"]["top1"] if summary["accuracy"] else None
        cells = (
            f"`{name}.yaml`",
            availability_text(faults["availability"]),
            availability_text(faults["whole"]),
            accuracy_text(right),
            *(duration(latency[key]) for key in ("p50", "p99", "p99.9")),
            duration(faults["recover_mean_s"]),
            joules(summary["energy_j"]["per_request"]),
            joules(faults["lost_j"]),
        )
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

"""What `edgesim run --mode both` shows and keeps; what it does is in `edgesim.serve.both`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer

from edgesim.cli.session import end, show, shown_if_lost, stop
from edgesim.common.interrupts import Held
from edgesim.common.progress import Bar
from edgesim.report import both_tables, folder
from edgesim.scenario import Scenario
from edgesim.serve.both.run import Measure, run
from edgesim.simulate.recovery import Recovery


def compare(
    scenario: Scenario,
    loads: str | None,
    measure: Measure,
    recovery: Recovery,
    directory: Path,
    *,
    trace_requests: int,
    as_json: bool,
) -> None:
    """Predict and measure a scenario, print both, and write them to ``directory``.

    Args:
        scenario: from `edgesim.api.load`.
        loads: see `edgesim.serve.both.loads.find_loads`.
        measure: plays a scenario on its nodes.
        recovery: how patient the coordinator is, as a simulation plays it.
        directory: that `edgesim.results.folder.prepare` took.
        trace_requests: how many leading requests of each load leave spans.
        as_json: print the comparison as JSON instead of tables.

    Raises:
        InputError: the loads are none, or the scenario is not one for real nodes.
        EdgesimError: the first load failed, or the result cannot be written.
        typer.Exit: it was interrupted, or a load failed; what had finished is written.
    """
    with Held() as held:
        with Bar(held=held) as bar:
            found = run(
                scenario,
                loads,
                measure,
                recovery,
                trace_requests=trace_requests,
                progress=bar.update,
            )
        results = [(one.load.folder, one.predicted, one.measured) for one in found.compared]
        tables = partial(both_tables.show, found.document)
        with shown_if_lost(tables, as_json=as_json):
            written = folder.write_comparison(found.document, results, directory)
    show(found.document, tables, as_json=as_json)
    typer.echo(f"Wrote {written}", err=as_json)
    if found.failure is not None:
        kept = "the loads before it are kept, marked partial"
        stop(f"{found.failure}; {kept}", found.failure.exit_status)
    end(partial=found.partial, noted=held.noted)

"""``manual``: an explicit task graph, each task on its node."""

from __future__ import annotations

from edgesim.common.errors import InputError, nearest
from edgesim.common.ordering import CycleError, in_order
from edgesim.placement.plan import Branch, Plan, Task
from edgesim.placement.request import NoKeys, PlacementRequest, takes


@takes(NoKeys)
def manual(request: PlacementRequest) -> Plan:
    """Place the tasks of an explicit task graph where they say.

    Raises:
        InputError: there is no task, two have one name, a transfer names an unknown task, or the
            tasks form a cycle (the message shows it).
    """
    model = request.model
    if not model.tasks:
        raise InputError(
            "placement.strategy 'manual' places an explicit task graph: give model.tasks"
        )
    tasks: dict[str, Task] = {}
    for task in model.tasks:
        if task.name in tasks:
            raise InputError(f"model.tasks: two tasks are named '{task.name}'")
        tasks[task.name] = task
    edges = []
    for transfer in model.transfers:
        ends = (transfer.source, transfer.target)
        for end in ends:
            if end is not None and end not in tasks:
                raise InputError(
                    f"model.transfers: no task is named '{end}'{nearest(end, list(tasks))}"
                )
        if ends[0] is not None and ends[1] is not None:
            edges.append((ends[0], ends[1]))
    try:
        order = in_order(tasks, edges)
    except CycleError as error:
        cycle = " → ".join([*error.cycle, error.cycle[0]])
        raise InputError(f"model.transfers: cycle {cycle}") from None
    branch = Branch(tasks=tuple(tasks[name] for name in order), transfers=model.transfers)
    return request.plan("manual", (branch,), {})

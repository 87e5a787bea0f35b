"""From the validated file to a scenario: names become devices, graphs, links and nodes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from edgesim.errors import nearest
from edgesim.graph import zoo
from edgesim.hardware import (
    Cluster,
    Node,
)
from edgesim.placement import Model, PlacementRequest, Task, Transfer, strategy_names
from edgesim.scenario.findings import Findings
from edgesim.scenario.resolve_cluster import resolve_device, resolve_network, resolve_nodes
from edgesim.scenario.resolve_traffic import resolve_traffic
from edgesim.scenario.scenario import Baseline, Scenario
from edgesim.scenario.schema import (
    ModelSpec,
    PlacementSpec,
    ScenarioSpec,
)
from edgesim.validation import Path, Problem

BUILT_IN = {
    "single": (),
    "replicate": (),
    "manual": (),
    "pipeline": ("objective",),
    "class-wise": ("fusion", "submodels", "heads", "memory_budget"),
}
"""Keys of ``placement`` that belong to each strategy; the rest belong to all."""


class Resolver(Findings):
    """Resolves one scenario, and collects what is wrong on the way."""

    def __init__(self, spec: ScenarioSpec, times_s: tuple[float, ...]) -> None:
        super().__init__()
        self.spec = spec
        self.times_s = times_s

    def scenario(self, name: str, document: Mapping[str, object]) -> Scenario | None:
        """Return the scenario, or None where there are problems."""
        spec = self.spec
        nodes = resolve_nodes(self, spec.nodes)
        strategy = self.strategy()
        model = self.model(nodes)
        network = resolve_network(self, spec.network, list(nodes))
        baselines = self.baselines()
        traffic = resolve_traffic(self, spec.traffic, self.times_s)
        self.placement(strategy, nodes)
        if self.problems or model is None or network is None:
            return None
        placement = spec.placement
        request = PlacementRequest(
            model=model,
            cluster=Cluster(nodes=nodes, network=network),
            input_node=placement.input,
            fusion_node=placement.fusion,
            nodes=tuple(placement.nodes),
            options=_options(placement),
        )
        return Scenario(
            name=name,
            seed=spec.seed,
            strategy=strategy,
            placement=request,
            traffic=traffic,
            baselines=baselines,
            replications=spec.replications,
            document=document,
        )

    def strategy(self) -> str:
        """Return the strategy: as given, or ``manual`` for an explicit task graph."""
        given = self.spec.placement.strategy
        if given is None:
            if self.spec.model.tasks is not None:
                return "manual"
            self.wrong(
                ("placement",), f"expected a 'strategy': one of {', '.join(strategy_names())}"
            )
            return "manual"
        known = strategy_names()
        if given not in known:
            self.wrong(
                ("placement", "strategy"),
                f"expected one of {', '.join(known)}, got '{given}'{nearest(given, known)}",
            )
        elif given == "manual" and self.spec.model.tasks is None:
            self.wrong(
                ("placement", "strategy"), "'manual' places 'model.tasks', which are not given"
            )
        elif given in BUILT_IN and given != "manual" and self.spec.model.tasks is not None:
            self.wrong(("placement", "strategy"), f"'model.tasks' need 'manual', not '{given}'")
        return given

    def placement(self, strategy: str, nodes: Mapping[str, Node]) -> None:
        """Check that the placement's keys belong to its strategy, and its nodes exist."""
        spec = self.spec.placement
        if strategy in BUILT_IN:
            own = BUILT_IN[strategy]
            known = [*_COMMON, *own]
            for key in spec.model_extra or {}:
                self.problems.append(
                    Problem(
                        ("placement", key),
                        f"unknown key '{key}'{nearest(key, known)}; "
                        f"'{strategy}' takes {', '.join(known)}",
                        True,
                    )
                )
            for other, keys in BUILT_IN.items():
                for key in keys:
                    if key not in own and getattr(spec, key) is not None:
                        message = f"'{key}' is of {other}, not of {strategy}"
                        self.problems.append(Problem(("placement", key), message, True))
        named = [(("placement", "input"), spec.input), (("placement", "fusion"), spec.fusion)]
        named += [(("placement", "nodes", i), one) for i, one in enumerate(spec.nodes)]  # type: ignore[misc]
        for path, name in named:
            if name is not None:
                self.known_node(path, name, nodes)

    def known_node(self, path: Path, name: str, nodes: Mapping[str, Node]) -> bool:
        """Note a problem unless a node has this name."""
        written = list(nodes) or list(self.spec.nodes)
        broken = any(problem.path[:1] == ("nodes",) for problem in self.problems)
        if name in nodes or broken:
            return name in nodes
        counted = self.spec.nodes.get(name)
        if counted is not None and counted.count is not None:
            self.wrong(
                path, f"'{name}' stands for '{name}-0' to '{name}-{counted.count - 1}'; name one"
            )
        else:
            self.wrong(path, f"no node is named '{name}'{nearest(name, written)}")
        return False

    def model(self, nodes: Mapping[str, Node]) -> Model | None:
        """Return the model."""
        spec = self.spec.model
        if spec.tasks is not None:
            return self.tasks(spec, nodes)
        assert spec.name is not None
        name = spec.name
        info = self.told(("model", "name"), lambda: zoo.info(name))
        if info is None:
            return None
        options = spec.options()
        graph = self.told(("model",), lambda: zoo.build(name, **options))
        if graph is None:
            return None
        width = options.get("width", info.width)
        own_mlp = 4 * width if width is not None and info.mlp_width is not None else None
        heads = options.get("heads", info.heads)
        fixed = {key: options[key] for key in _FIXED if key in options}
        if "head_width" not in fixed and "head_width" in info.options and width and heads:
            fixed["head_width"] = width // heads
        return Model(
            name=name,
            precision=spec.precision,
            graph=graph,
            rebuild=partial(zoo.build, name, **fixed) if heads is not None else None,
            heads=heads,
            width=width,
            mlp_width=options.get("mlp_width", own_mlp),
            classes=options.get("classes", info.classes),
        )

    def tasks(self, spec: ModelSpec, nodes: Mapping[str, Node]) -> Model:
        """Return the explicit task graph as a model."""
        assert spec.tasks is not None
        tasks = []
        for name, task in spec.tasks.items():
            path: Path = ("model", "tasks", name)
            if self.known_node((*path, "node"), task.node, nodes):
                cores = nodes[task.node].device.cores
                if task.cores is not None and task.cores > cores:
                    self.wrong(
                        (*path, "cores"), f"expected at most {cores}, which '{task.node}' has"
                    )
            tasks.append(
                Task(
                    name=name,
                    node=task.node,
                    flop=task.flop,
                    memory_bytes=task.memory,
                    cores=task.cores,
                    priority=task.priority,
                    optional=task.optional,
                )
            )
        transfers = []
        for index, one in enumerate(spec.transfers):
            for key, end in (("from", one.source), ("to", one.target)):
                if end not in spec.tasks:
                    self.wrong(
                        ("model", "transfers", index, key),
                        f"no task is named '{end}'{nearest(end, list(spec.tasks))}",
                    )
            transfers.append(Transfer(source=one.source, target=one.target, bytes=one.bytes))
        return Model(
            name=self.spec.name or "tasks",
            precision=spec.precision,
            tasks=tuple(tasks),
            transfers=tuple(transfers),
        )

    def baselines(self) -> tuple[Baseline, ...]:
        """Return the baselines."""
        found: dict[str, Baseline] = {}
        for index, spec in enumerate(self.spec.baselines):
            path: Path = ("baselines", index)
            if self.spec.model.tasks is not None:
                self.wrong(path, "a task graph has no whole model to run on one device")
                continue
            name = spec.name or (
                spec.device if isinstance(spec.device, str) else f"baseline-{index}"
            )
            device = resolve_device(self, path, name, spec.device)
            if name in found:
                self.wrong(path, f"two baselines are named '{name}'; give one another 'name'")
            if device is None:
                continue
            precision = spec.precision or self.spec.model.precision
            if precision not in device.precisions():
                self.wrong(
                    path,
                    f"'{name}' does not compute in {precision}; "
                    f"it has {', '.join(device.precisions())}",
                )
            found[name] = Baseline(name=name, device=device, precision=precision)
        return tuple(found.values())


_COMMON = ("strategy", "input", "nodes")
_FIXED = ("image_size", "channels", "patch_size", "depth", "head_width")


def _options(spec: PlacementSpec) -> dict[str, object]:
    given = {key: getattr(spec, key) for keys in BUILT_IN.values() for key in keys}
    given = {key: value for key, value in given.items() if value is not None and key != "fusion"}
    return {**given, **(spec.model_extra or {})}

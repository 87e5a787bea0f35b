"""Random scenarios that are valid, as plain data."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

CATALOG = ["raspberry-pi-4b", "raspberry-pi-5", "jetson-nano", "nvidia-t4", "intel-i7-12700h"]
Drawn = dict[str, Any]


def times(largest: str = "s") -> st.SearchStrategy[Any]:
    """Return times written in several ways."""
    number = st.floats(0.001, 5.0).map(lambda value: round(value, 4))
    return number | st.builds("{} {}".format, number, st.sampled_from(["ms", "us", largest]))


@st.composite
def devices(draw: st.DrawFn) -> Any:
    """Draw a name of the catalog, or an inline device."""
    if draw(st.booleans()):
        return draw(st.sampled_from(CATALOG))
    idle = draw(st.floats(0.0, 5.0))
    return {
        "peak": {"fp32": f"{draw(st.integers(1, 500))} GFLOP/s"},
        "cores": draw(st.integers(1, 8)),
        "efficiency": draw(st.sampled_from([{}, {"linear": 0.2, "conv": "30 %"}])),
        "launch_overhead": draw(st.sampled_from([0, "20 us"])),
        "memory": draw(st.sampled_from([{}, {"capacity": "4 GiB", "bandwidth": "2.5 GB/s"}])),
        "power": {"idle": idle, "busy": idle + draw(st.floats(0.0, 10.0))},
        **draw(st.sampled_from([{}, {"messaging": {"per_message": "0.1 ms", "per_byte": 1e-9}}])),
    }


@st.composite
def nodes(draw: st.DrawFn) -> Drawn:
    """Draw how a node behaves."""
    node: Drawn = {"device": draw(devices())}
    if draw(st.booleans()):
        node["variability"] = draw(
            st.sampled_from(["none", "exponential", {"kind": "lognormal", "cv": 0.3}])
        )
    if draw(st.booleans()):
        node["queue"] = draw(
            st.sampled_from(
                [
                    "fifo",
                    "priority",
                    {"limit": 2},
                    {"order": "priority", "limit": 1, "full": "drop-oldest"},
                    {"full": "keep-latest"},
                ]
            )
        )
    if draw(st.booleans()):
        node["batch"] = {"max": draw(st.integers(1, 4)), "wait": draw(times("ms"))}
    if draw(st.integers(0, 4)) == 0:
        node["faults"] = draw(
            st.sampled_from(
                [
                    {"mtbf": 5, "mttr": "500 ms"},
                    {"mtbf": 5, "mttr": "500 ms", "shape": 1.5, "repair_shape": 2},
                    {"schedule": [{"at": "1 s", "duration": 0.5}]},
                ]
            )
        )
    return node


@st.composite
def links(draw: st.DrawFn) -> Drawn:
    """Draw the figures of a link."""
    figures = {
        "bandwidth": f"{draw(st.integers(5, 1000))} Mbit/s",
        "latency": draw(st.sampled_from([0, "0.25 ms", "20 us"])),
    }
    if draw(st.booleans()):
        figures |= {"energy_per_byte": "5 nJ/bit", "power": "0.5 W"}
    return figures


@st.composite
def traffics(draw: st.DrawFn) -> Drawn:
    """Draw traffic of a few requests, also above capacity."""
    requests = draw(st.integers(1, 25))
    kind = draw(
        st.sampled_from(
            ["closed", "poisson", "periodic", "trace", "single-stream", "multi-stream", "server",
             "offline"]
        )
    )  # fmt: skip
    rate = f"{draw(st.floats(0.05, 200.0)):.3f}/s"
    own: Drawn = {
        "closed": {"concurrency": draw(st.integers(1, 5))},
        "poisson": {"rate": rate},
        "periodic": {"rate": rate},
        "server": {"rate": rate, "latency_bound": "100 ms"},
    }.get(kind, {})
    if kind == "trace":
        own = {"times": sorted(draw(st.lists(st.floats(0.0, 9.0), min_size=requests, max_size=30)))}
    if kind in ("closed", "poisson", "periodic", "trace") and draw(st.booleans()):
        own["samples"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        own["deadline"] = draw(times())
    if requests > 1 and draw(st.booleans()):
        own["warmup"] = draw(st.integers(0, requests - 1))
    return {"arrivals": kind, "requests": requests, **own}


@st.composite
def of_catalog(draw: st.DrawFn) -> Drawn:
    """Draw a scenario of a small transformer on a few nodes."""
    count = draw(st.integers(1, 4))
    strategy = draw(st.sampled_from(["single", "replicate", "pipeline", "class-wise"]))
    placement: Drawn = {"strategy": strategy, "input": draw(st.sampled_from(["hub", "pi-0"]))}
    if strategy == "pipeline":
        placement["objective"] = draw(st.sampled_from(["latency", "bottleneck"]))
    if strategy == "class-wise":
        placement |= {"submodels": draw(st.integers(1, 4)), "fusion": "hub"}
        placement |= draw(st.sampled_from([{}, {"heads": 1}]))
    network = draw(st.sampled_from(["switch", "wifi"]))
    return {
        "model": {
            "name": "vit_tiny_patch16_224",
            "classes": draw(st.integers(4, 12)),
            "depth": draw(st.integers(1, 2)),
            "image_size": 64,
        },
        "placement": placement,
        "nodes": {"pi": {**draw(nodes()), "count": count}, "hub": draw(nodes())},
        "network": {network: draw(links())},
    }


@st.composite
def of_tasks(draw: st.DrawFn) -> Drawn:
    """Draw a scenario of an explicit task graph, links between neighbours in a line."""
    names = [f"n{number}" for number in range(draw(st.integers(1, 4)))]
    count = draw(st.integers(1, 5))
    tasks = {
        f"t{number}": {
            "flop": f"{draw(st.integers(0, 3000))} MFLOP",
            "node": draw(st.sampled_from(names)),
            "memory": draw(st.sampled_from([0, "10 MB"])),
            "optional": draw(st.booleans()),
            "priority": draw(st.integers(-2, 2)),
        }
        for number in range(count)
    }
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=6)) if pairs else []
    transfers = [
        {"from": f"t{a}", "to": f"t{b}", "bytes": f"{draw(st.integers(0, 500))} kB"}
        for a, b in chosen
    ]
    line = {
        f"l{number}": {
            **draw(links()),
            "duplex": draw(st.sampled_from(["full", "half", "shared"])),
            "ends": [names[number], names[number + 1]],
        }
        for number in range(len(names) - 1)
    }
    data: Drawn = {
        "model": {"tasks": tasks, "transfers": transfers},
        "nodes": {name: draw(nodes()) for name in names},
    }
    return {**data, "network": {"links": line}} if line else data


@st.composite
def scenarios(draw: st.DrawFn) -> Drawn:
    """Draw a whole scenario."""
    data = draw(of_catalog() | of_tasks())
    data = {"name": "drawn", "seed": draw(st.integers(0, 2**64 - 1)), **data}
    data["traffic"] = draw(traffics())
    if "name" in data["model"] and draw(st.booleans()):
        data["baselines"] = ["raspberry-pi-4b"]
    if draw(st.integers(0, 4)) == 0:
        data["replications"] = 2
    return data

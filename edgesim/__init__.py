"""edgesim: latency and energy of vision models on edge clusters and optical accelerators.

In a notebook::

    import edgesim

    cluster = edgesim.load("cluster.yaml", set={"traffic.rate": "2/s"})
    result = cluster.run()
    result.requests  # a pandas frame
    result.plot.latency()

    graph = edgesim.trace(module, example)  # any torch module
    cluster.run(model=graph)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgesim.version import __version__

if TYPE_CHECKING:
    from edgesim.graph import Graph
    from edgesim.graph.trace import trace
    from edgesim.notebook import Loaded, Played, load, study

__all__ = ["Graph", "Loaded", "Played", "__version__", "load", "study", "trace"]
_HOMES = {
    **dict.fromkeys(("Loaded", "Played", "load", "study"), "edgesim.notebook"),
    "Graph": "edgesim.graph",
    "trace": "edgesim.graph.trace",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


def __getattr__(name: str) -> Any:
    """Bring what notebooks use when it is used: the command line needs none of it."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'edgesim' has no attribute '{name}'")

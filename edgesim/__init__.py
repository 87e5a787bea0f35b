"""edgesim: latency and energy of vision models on edge clusters and optical accelerators.

In a notebook::

    import edgesim

    cluster = edgesim.load("cluster.yaml", set={"traffic.rate": "2/s"})
    result = cluster.run()
    result.requests  # a pandas frame
    result.plot.latency()
"""

from typing import TYPE_CHECKING, Any

from edgesim.version import __version__

if TYPE_CHECKING:
    from edgesim.notebook import Loaded, Played, load, study

__all__ = ["Loaded", "Played", "__version__", "load", "study"]
_NOTEBOOK = ("Loaded", "Played", "load", "study")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NOTEBOOK})


def __getattr__(name: str) -> Any:
    """Bring what notebooks use when it is used: the command line needs none of it."""
    if name in _NOTEBOOK:
        from edgesim import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'edgesim' has no attribute '{name}'")

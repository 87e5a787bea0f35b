"""edgesim in a notebook: scenarios that play, results as frames and plots."""

from edgesim.notebook.loaded import Loaded, load
from edgesim.notebook.results import Played, Studied, study

__all__ = ["Loaded", "Played", "Studied", "load", "study"]

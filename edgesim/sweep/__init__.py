"""Studies: many scenarios that differ along axes, simulated on one machine or many.

`load` reads a study file, `run_study` simulates it and returns its `Table`, and `read` returns the
table of a folder that ``edgesim sweep`` wrote.
"""

from edgesim.sweep.reader import from_mapping, load
from edgesim.sweep.run import run_study
from edgesim.sweep.store import read
from edgesim.sweep.study import Study
from edgesim.sweep.table import Column, Table

__all__ = ["Column", "Study", "Table", "from_mapping", "load", "read", "run_study"]

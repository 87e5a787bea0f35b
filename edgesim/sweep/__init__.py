"""Studies: many scenarios that differ along axes, played on one machine or many."""

from edgesim.sweep.store import read
from edgesim.sweep.table import Column, Table

__all__ = ["Column", "Table", "read"]

"""Scenario files: reading, checking, resolving."""

from edgesim.scenario.document import ScenarioError
from edgesim.scenario.dump import dump
from edgesim.scenario.reader import from_mapping, load, load_text
from edgesim.scenario.scenario import Baseline, Scenario

__all__ = ["Baseline", "Scenario", "ScenarioError", "dump", "from_mapping", "load", "load_text"]

"""Scenario files: reading, checking, resolving."""

from edgesim.scenario.problems import ScenarioError
from edgesim.scenario.reader import from_mapping, load, load_text
from edgesim.scenario.scenario import Baseline, Scenario

__all__ = ["Baseline", "Scenario", "ScenarioError", "from_mapping", "load", "load_text"]

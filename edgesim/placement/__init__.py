"""Placement: strategies that turn a model and a cluster into a plan."""

from edgesim.placement.plan import Branch, Plan, Task, Transfer
from edgesim.placement.request import Model, PlacementRequest, Strategy
from edgesim.placement.strategies import place, strategy_names

__all__ = [
    "Branch",
    "Model",
    "PlacementRequest",
    "Plan",
    "Strategy",
    "Task",
    "Transfer",
    "place",
    "strategy_names",
]

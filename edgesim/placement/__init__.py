"""Placement: strategies that turn a model and a cluster into a plan."""

from edgesim.placement.plan import Branch, Plan, Task, Transfer
from edgesim.placement.request import Model, ModelKeys, NoKeys, PlacementRequest, Strategy, takes
from edgesim.placement.strategies import keys_by_strategy, keys_of_strategy, place, strategy_names

__all__ = [
    "Branch",
    "Model",
    "ModelKeys",
    "NoKeys",
    "PlacementRequest",
    "Plan",
    "Strategy",
    "Task",
    "Transfer",
    "keys_by_strategy",
    "keys_of_strategy",
    "place",
    "strategy_names",
    "takes",
]

"""Recipes and artifacts of ``partition``: what the commands do with them."""

from edgesim.partitioning.recipes import evaluate, is_recipe, load, make

__all__ = ["evaluate", "is_recipe", "load", "make"]

"""Searches: which points to play, told by the results of those before."""

"""Faults of a schedule on real nodes: who is told what, and when."""

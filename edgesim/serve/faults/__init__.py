"""Faults of a schedule on real nodes."""

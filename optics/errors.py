"""Errors of this library; each message says what was expected, what was given and what to do."""

from __future__ import annotations


class InputError(ValueError):
    """The input is wrong: a part, a shape, a data type, a device, or data that are not finite."""


class SamplingError(InputError):
    """A grid is too coarse for the operation; the message names the limit and an alternative."""

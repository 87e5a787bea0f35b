"""What lies between thin elements: free space, an ideal Fourier lens, and the 4f relay of both."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from optics.checks import finite, positive
from optics.field import Field, require_field
from optics.propagation import Method, angular_window, fourier_lens, propagate


class FreeSpace(nn.Module):
    """Free space of some length, see :func:`optics.propagation.propagate`.

    Args:
        distance_m: z; a negative one goes back.
        method: method of :func:`~optics.propagation.propagate`.
        window: (rows, columns) of a target window of its own, by
            :func:`~optics.propagation.angular_window`; ``None`` is the field's own.
        pitch_m: pitch of that window; ``None`` is the field's.
        centre_m: place of that window (down, right).
    """

    def __init__(
        self,
        distance_m: float,
        *,
        method: Method = "auto",
        window: tuple[int, int] | None = None,
        pitch_m: float | Sequence[float] | None = None,
        centre_m: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__()
        finite("FreeSpace", "distance_m", distance_m)
        self.distance_m, self.method = distance_m, method
        self.window, self.pitch_m, self.centre_m = window, pitch_m, centre_m

    def forward(self, field: Field) -> Field:
        """Return the field behind the space."""
        require_field("FreeSpace", field)
        if self.window is None and self.pitch_m is None and self.centre_m == (0.0, 0.0):
            return propagate(field, self.distance_m, method=self.method).field
        shape = self.window or field.shape
        pitch_m = self.pitch_m or field.pitch_m
        return angular_window(field, self.distance_m, shape, pitch_m, self.centre_m)

    def extra_repr(self) -> str:
        """Return distance and method."""
        return f"{self.distance_m:g} m, method={self.method!r}"


class FourierLens(nn.Module):
    """An ideal lens between its focal planes, see :func:`optics.propagation.fourier_lens`.

    Args:
        focal_length_m: f.
    """

    def __init__(self, focal_length_m: float) -> None:
        super().__init__()
        positive("FourierLens", "focal_length_m", focal_length_m)
        self.focal_length_m = focal_length_m

    def forward(self, field: Field) -> Field:
        """Return the field in the back focal plane, at the pitch λf / (N dx)."""
        require_field("FourierLens", field)
        return fourier_lens(field, self.focal_length_m)

    def extra_repr(self) -> str:
        """Return the focal length."""
        return f"f={self.focal_length_m:g} m"


class Relay(nn.Sequential):
    """A 4f relay: lens 1, elements in the Fourier plane, lens 2.

    The image is turned by 180° and scaled by f2/f1; in the Fourier plane the pitch is λf / (N dx).

    Args:
        elements: elements in the Fourier plane, in the order in which light meets them.
        focal_length_m: f of both lenses, or (f1, f2).
    """

    def __init__(self, *elements: nn.Module, focal_length_m: float | tuple[float, float]) -> None:
        pair = focal_length_m if isinstance(focal_length_m, tuple) else (focal_length_m,) * 2
        super().__init__(FourierLens(pair[0]), *elements, FourierLens(pair[1]))

"""Draw of the machine, idle and busy, where the system shows it.

What is tried, in this order: ``nvidia-smi`` for a GPU; the energy counters of RAPL
(``/sys/class/powercap``, microjoules that begin anew at ``max_energy_range_uj``); sensors of hwmon
(``power1_input`` in microwatts, else millivolts times milliamperes), as of an INA219 or INA3221.
RAPL counts the processor alone, a sensor what its rail feeds: the source of the figure says which.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SYSTEM = Path("/sys")
_LOOK_S = 0.05
_SMI = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "--id=0")


@dataclass(frozen=True, slots=True)
class Counter:
    """An energy counter of RAPL.

    Attributes:
        energy: file of microjoules.
        range_uj: at which it begins anew.
    """

    energy: Path
    range_uj: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Something that tells the draw.

    Attributes:
        name: for people.
        counters: that count energy; empty where power is read.
        power_w: reads the draw now; None where energy is counted.
    """

    name: str
    counters: tuple[Counter, ...] = ()
    power_w: Callable[[], float] | None = None


def find_meter(device: str = "cpu", system: Path = _SYSTEM) -> Meter | None:
    """Return what tells the draw of this machine; None where nothing does."""
    if device == "cuda":
        return _gpu()
    counters = []
    for folder in sorted((system / "class/powercap").glob("intel-rapl:*")):
        # Packages, whose parts (intel-rapl:0:1) are within them.
        if folder.name.count(":") == 1:
            try:
                (folder / "energy_uj").read_text()
                most = int((folder / "max_energy_range_uj").read_text())
            except (OSError, ValueError):
                continue
            counters.append(Counter(folder / "energy_uj", most))
    if counters:
        return Meter(name=f"RAPL, {len(counters)} package(s)", counters=tuple(counters))
    for folder in sorted((system / "class/hwmon").glob("hwmon*")):
        read = _sensor(folder)
        if read is not None:
            return Meter(name=f"hwmon sensor {_name(folder)}", power_w=read)
    return None


def _gpu() -> Meter | None:
    if shutil.which(_SMI[0]) is None:
        return None

    def read() -> float:
        done = subprocess.run(_SMI, capture_output=True, text=True, timeout=10, check=True)
        return float(done.stdout.split()[0])

    try:
        read()
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None
    return Meter(name="nvidia-smi power.draw", power_w=read)


def _name(folder: Path) -> str:
    try:
        return (folder / "name").read_text().strip()
    except OSError:
        return folder.name


def _sensor(folder: Path) -> Callable[[], float] | None:
    """Return what reads the watts of a hwmon folder: all of its rails together."""
    powers = sorted(folder.glob("power*_input"))
    pairs = [
        (folder / f"in{number}_input", current)
        for current in sorted(folder.glob("curr*_input"))
        if (folder / f"in{(number := current.name[4:-6])}_input").exists()
    ]
    if not powers and not pairs:
        return None

    def read() -> float:
        if powers:
            return sum(int(one.read_text()) for one in powers) * 1e-6
        return sum(int(u.read_text()) * int(i.read_text()) for u, i in pairs) * 1e-6

    try:
        read()
    except (OSError, ValueError):
        return None
    return read


class Reading:
    """A mean draw over a stretch of time.

    Attributes:
        mean_w: once the stretch is over.
    """

    mean_w: float = 0.0


@contextmanager
def reading(meter: Meter, clock: Callable[[], float] = time.monotonic) -> Iterator[Reading]:
    """Read a meter while the block runs: counters at its ends and now and then, power all along.

    A counter of RAPL goes round in a minute at the earliest; it is looked at often enough.
    """
    found = Reading()
    stop = threading.Event()
    begun_s = clock()
    last = [int(one.energy.read_text()) for one in meter.counters]
    joules = 0.0
    watts: list[float] = []

    def look() -> None:
        nonlocal last, joules
        if meter.power_w is not None:
            watts.append(meter.power_w())
            return
        now = [int(one.energy.read_text()) for one in meter.counters]
        joules += sum(
            1e-6 * between(before, after, one.range_uj)
            for before, after, one in zip(last, now, meter.counters, strict=True)
        )
        last = now

    def watch() -> None:
        while not stop.wait(_LOOK_S):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
        look()
        if meter.power_w is not None:
            found.mean_w = sum(watts) / len(watts)
        else:
            found.mean_w = joules / max(clock() - begun_s, 1e-9)


def between(before_uj: int, after_uj: int, range_uj: int) -> int:
    """Return what a counter counted, that may have begun anew once."""
    return after_uj - before_uj if after_uj >= before_uj else after_uj + range_uj - before_uj


def told_power(text: str) -> tuple[float, float]:
    """Return idle and busy watts of ``idle=2.7W,busy=6.4W``.

    Raises:
        ValueError: the text is another, or busy is less than idle.
    """
    from edgesim.common import units

    given: dict[str, float] = {}
    for piece in text.split(","):
        state, _, value = piece.partition("=")
        if state.strip() not in ("idle", "busy") or state.strip() in given:
            raise ValueError(f"expected idle=2.7W,busy=6.4W, got {text!r}")
        given[state.strip()] = units.parse(value, "power")
    if set(given) != {"idle", "busy"}:
        raise ValueError(f"expected idle=2.7W,busy=6.4W, got {text!r}")
    if not 0.0 <= given["idle"] <= given["busy"]:
        raise ValueError(f"expected busy of at least idle, got {text!r}")
    return given["idle"], given["busy"]

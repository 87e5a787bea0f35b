"""Measures the power of the machine, where the system has a meter.

Meters in order of preference: ``nvidia-smi`` for a GPU; the energy counters of RAPL
(``/sys/class/powercap``, microjoules that wrap at ``max_energy_range_uj``); sensors of hwmon
(``power1_input`` in microwatts, else millivolts times milliamperes), as of an INA219 or INA3221.
RAPL counts the processor alone, a sensor all that its rail feeds; the figure's source names it.
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
_INTERVAL_S = 0.05
_SMI = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", "--id=0")


@dataclass(frozen=True, slots=True)
class Counter:
    """An energy counter of RAPL.

    Attributes:
        energy: file of microjoules.
        range_uj: value at which it wraps.
    """

    energy: Path
    range_uj: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A power meter.

    Attributes:
        name: name for people.
        counters: counters of energy; empty where power is read.
        power_w: function that reads the present power; None where energy is counted.
    """

    name: str
    counters: tuple[Counter, ...] = ()
    power_w: Callable[[], float] | None = None


def find_meter(device: str = "cpu", system: Path = _SYSTEM) -> Meter | None:
    """Return the power meter of this machine; None without one."""
    if device == "cuda":
        return _gpu()
    counters = []
    for folder in sorted((system / "class/powercap").glob("intel-rapl:*")):
        # Packages only: their parts (intel-rapl:0:1) are included in them.
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
    """Return the function that reads the watts of a hwmon folder, all of its rails together."""
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
    """Mean power over a measured interval.

    Attributes:
        mean_w: mean power, set at the end of the interval.
    """

    mean_w: float = 0.0


@contextmanager
def reading(meter: Meter, clock: Callable[[], float] = time.monotonic) -> Iterator[Reading]:
    """Read a meter every 50 ms while the block runs.

    A counter of RAPL wraps after a minute at the earliest, so no wrap is missed.
    """
    found = Reading()
    stop = threading.Event()
    begun_s = clock()
    last = [int(one.energy.read_text()) for one in meter.counters]
    joules = 0.0
    watts: list[float] = []

    def sample() -> None:
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

    def sample_until_stopped() -> None:
        while not stop.wait(_INTERVAL_S):
            sample()

    thread = threading.Thread(target=sample_until_stopped, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
        sample()
        if meter.power_w is not None:
            found.mean_w = sum(watts) / len(watts)
        else:
            found.mean_w = joules / max(clock() - begun_s, 1e-9)


def between(before_uj: int, after_uj: int, range_uj: int) -> int:
    """Return the increase of a counter that may have wrapped once."""
    return after_uj - before_uj if after_uj >= before_uj else after_uj + range_uj - before_uj

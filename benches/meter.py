"""What processes cost, by the operating system's own accounting, and how that is printed."""

import ctypes
import dataclasses
import pathlib
import statistics
import subprocess
import sys
import time

ONE = pathlib.Path(__file__).with_name("one.py")
SHARES = {"p90": 0.9, "p99": 0.99}
_libc = ctypes.CDLL(None)


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one process, or of a part of its life. Memory in millions of bytes."""

    wall: float
    cpu: float
    memory: float


@dataclasses.dataclass(frozen=True)
class Ran:
    """A command that came to its end."""

    code: int
    out: str
    err: str
    cost: Cost


def run(command: list[object], folder: pathlib.Path, environment: dict[str, str]) -> Ran:
    """The whole process, from its start to its end, with whatever it waited for."""
    out, err = folder / "out", folder / "err"
    measured = [sys.executable, "-I", "-S", ONE, out, err, *command]
    told = subprocess.run(
        [str(word) for word in measured],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    code, wall, cpu, peak = told.stdout.split()
    cost = Cost(float(wall), float(cpu), int(peak) * 1024 / 1e6)
    return Ran(int(code), out.read_text(), err.read_text(), cost)


class Live:
    """A process that goes on running, measured from here to there."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._clock = ctypes.c_int()
        if _libc.clock_getcpuclockid(pid, ctypes.byref(self._clock)):
            raise ProcessLookupError(f"no process {pid}")
        self._began, self._used = time.monotonic(), 0.0

    def restart(self) -> None:
        """From now on. The peak begins with what the process holds now."""
        pathlib.Path(f"/proc/{self._pid}/clear_refs").write_text("5")
        self._began, self._used = time.monotonic(), self.cpu()

    def cpu(self) -> float:
        """Seconds of all its threads since it began."""
        return time.clock_gettime(self._clock.value)

    def cost(self) -> Cost:
        """Since the start or the last restart."""
        wall, cpu = time.monotonic() - self._began, self.cpu() - self._used
        return Cost(wall, cpu, self.peak())

    def peak(self) -> float:
        return self._status("VmHWM")

    def _status(self, field: str) -> float:
        for line in pathlib.Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise ProcessLookupError(f"process {self._pid} has no {field}")


def table(costs: list[Cost], wall: str = "wall time") -> None:
    """The median, and between which values all of them were."""
    rows = [
        (wall, "s", 2, [cost.wall for cost in costs]),
        ("CPU time", "s", 2, [cost.cpu for cost in costs]),
        ("peak memory", "MB", 0, [cost.memory for cost in costs]),
    ]
    for name, unit, digits, values in rows:
        middle, least, most = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
        line(name, f"{middle} {unit}", f"{least} to {most}")


def spread(name: str, seconds: list[float], of: int) -> None:
    """How a span was distributed, in milliseconds. `of`: so many there should be."""
    if not seconds:
        return line(name, "none", f"0 of {of}")
    ordered = sorted(1000 * s for s in seconds)
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in SHARES.items()}
    told = ", ".join(f"{name} {value:,.0f}" for name, value in at.items())
    line(name, f"{statistics.median(ordered):,.0f} ms", f"{told}, least {ordered[0]:,.0f}, most {ordered[-1]:,.0f}; {len(ordered)} of {of}")


def counts(name: str, found: dict[str, int], of: str = "calls") -> None:
    """How many, and which."""
    told = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    line(name, f"{sum(found.values()):,} {of}", ", ".join(f"{count:,} {what}" for what, count in told))


def line(name: str, value: str, more: str = "") -> None:
    print(f"    {name:<14} {value:>10}   {more}".rstrip(), flush=True)


def title(text: str) -> None:
    print(f"\n{text}", flush=True)


def progress(text: str) -> None:
    """To standard error: it is no result."""
    print(f"... {text}", file=sys.stderr, flush=True)

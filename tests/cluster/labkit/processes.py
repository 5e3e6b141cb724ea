"""Children that cannot outlive the lab, free ports, and waiting for readiness.

A child is stopped by the lab in the ordinary case. If the lab is killed, the kernel kills its direct children
(PR_SET_PDEATHSIG) and the watchdog the rest of their groups. Only processes the lab started are ever signalled.
"""

import concurrent.futures
import contextlib
import ctypes
import http.client
import os
import pathlib
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from typing import TypeVar

from .errors import LabError, PortTaken

T = TypeVar("T")

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

# The kernel's signal comes at the death of the *thread* that forked, so one thread forks them all and lives to the end:
# a restart asked for on the control page must not tie the API server to the thread that served the page.
_forker = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")

# Below the range from which the kernel picks ports for outgoing connections: a port stays ours while a server restarts.
PORTS = range(20000, 32000)


def die_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    """What a child does before its program starts: arrange for a signal when its parent is gone."""

    def arrange() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it was gone before the arrangement
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange


def free_port() -> int:
    """A loopback port that is free now. It may be taken a moment later: see `retry_ports`."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LabError(f"no free port on 127.0.0.1 between {PORTS.start} and {PORTS.stop}")


def retry_ports(start: Callable[[], T], attempts: int = 5) -> T:
    """Start something that chooses ports, again with other ports if somebody was faster."""
    for _ in range(attempts - 1):
        with contextlib.suppress(PortTaken):
            return start()
    return start()


class Watchdog:
    """The lab's end of the pipe to `watchdog.py`."""

    def __init__(self) -> None:
        program = pathlib.Path(__file__).with_name("watchdog.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(program)], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def tell(self, verb: str, what: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{verb} {what}\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """Nothing is left but what was told: it does it and ends."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


class Child:
    """One program with a log, in a process group of its own."""

    def __init__(self, name: str, command: list[object], log: pathlib.Path, watchdog: Watchdog, **environment: str) -> None:
        self.name = name
        self.log = log
        self._watchdog = watchdog
        self._log_start = log.stat().st_size if log.exists() else 0
        self._process = _forker.submit(self._start, [str(word) for word in command], environment).result()
        self.pid = self._process.pid
        watchdog.tell("group", self.pid)

    def _start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen:
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
                env=os.environ | environment,
                process_group=0,
                preexec_fn=die_with(os.getpid(), signal.SIGKILL),
            )

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self, grace: float = 0.0) -> None:
        """Ask and wait for the grace, then insist. Without grace it is killed: there is no data to save."""
        if grace and self.alive():
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        if self.alive():
            self._process.kill()
            self._process.wait()
        self._watchdog.tell("gone", self.pid)

    def tail(self, lines: int = 25) -> str:
        """The end of what this process wrote."""
        with open(self.log, "rb") as log:
            log.seek(self._log_start)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def await_ready(self, ready: Callable[[], bool], deadline: float = 90.0) -> None:
        """Poll until it is ready; a process that ended instead, or a deadline, is an error with the tail of its log."""
        until = time.monotonic() + deadline
        while not ready():
            if not self.alive():
                tail = self.tail()
                kind = PortTaken if "address already in use" in tail.lower() else LabError
                raise kind(f"{self.name} ended with code {self._process.returncode}; the end of its log:\n{tail}")
            if time.monotonic() > until:
                raise LabError(f"{self.name} was not ready after {deadline:.0f} s; the end of its log:\n{self.tail()}")
            time.sleep(0.05)


def answers(url: str, trust: ssl.SSLContext | None = None) -> bool:
    """Whether a GET is answered with 200. Straight to loopback: no proxy of the environment is asked."""
    where = urllib.parse.urlsplit(url)
    if where.scheme == "https":
        connection = http.client.HTTPSConnection(where.hostname, where.port, timeout=5, context=trust)
    else:
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=5)
    try:
        connection.request("GET", where.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

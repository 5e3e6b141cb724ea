"""moto: AWS's S3, SNS, SQS, STS and IAM as one local process, from a pinned virtual environment in the cache."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from .binaries import cache_root, only_one
from .errors import LabError
from .processes import Child, Watchdog, answers, free_port, retry_ports
from .progress import step

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "moto"
REQUIREMENTS = FOLDER / "requirements.txt"


def venv_dir() -> pathlib.Path:
    """The folder of exactly these requirements under exactly this Python."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    return cache_root() / "moto" / digest[:16]


def provide() -> pathlib.Path:
    """The Python that has moto, installed if it is not there yet."""
    folder = venv_dir()
    python = folder / "venv" / "bin" / "python"
    if python.exists():
        return python
    with only_one(folder, "moto's virtual environment"):
        if not python.exists():
            with step("installing moto (about 30 seconds the first time)"):
                _install(folder)
    return python


def libraries() -> None:
    """Lets this program import what is pinned there: boto3, yaml, cfnlint. It is the same Python."""
    packages = str(next(provide().parent.parent.glob("lib/python3*/site-packages")))
    if packages not in sys.path:
        sys.path.insert(0, packages)


def _install(folder: pathlib.Path) -> None:
    unfinished = folder / f"unfinished-{os.getpid()}"
    pip = [unfinished / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    try:
        _quietly([sys.executable, "-m", "venv", unfinished], "is python3-venv installed?")
        _quietly([*pip, "install", "--only-binary=:all:", "--no-deps", "-r", REQUIREMENTS], "is the package index reachable?")
        _quietly([*pip, "check"], "requirements.txt is not whole")
        unfinished.rename(folder / "venv")  # only `bin/python` is used, which does not mind: the scripts beside it would
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _quietly(command: list[object], advice: str) -> None:
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode != 0:
        raise LabError(f"{' '.join(map(str, command))} failed ({advice}):\n{(run.stdout + run.stderr)[-3000:]}")


class Moto:
    """A running moto server."""

    def __init__(self, python: pathlib.Path, logs: pathlib.Path, watchdog: Watchdog) -> None:
        self._python = python
        self._logs = logs
        self._watchdog = watchdog
        self.child: Child | None = None
        self.url = ""

    def start(self) -> None:
        retry_ports(self._start)

    def _start(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.child = Child(
            "moto",
            [self._python, FOLDER / "server.py", "-H", "127.0.0.1", "-p", port],
            self._logs / "moto.log",
            self._watchdog,
            # Whatever credentials the machine has, a stand-in never sees them.
            AWS_ACCESS_KEY_ID="testing",
            AWS_SECRET_ACCESS_KEY="testing",
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
            AWS_CONFIG_FILE=os.devnull,
            AWS_EC2_METADATA_DISABLED="true",
        )
        self.child.await_ready(lambda: answers(f"{self.url}/moto-api/data.json"))

    def stop(self) -> None:
        if self.child:
            self.child.stop()

    def dead(self) -> list[Child]:
        return [self.child] if self.child and not self.child.alive() else []

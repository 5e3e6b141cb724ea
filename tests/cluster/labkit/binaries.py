"""The pinned tools: found on this machine in exactly the right version, or built once from the Go module proxy.

`go.mod` pins the versions and `go.sum` the bytes. The cache lies outside the tree, keyed by both and by the version
stamp, so two checkouts share a build and a new pin never meets an old binary.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from .errors import LabError
from .processes import die_with
from .progress import say, step

HERE = pathlib.Path(__file__).resolve().parent.parent
PINS = HERE / "go.mod"
SUMS = HERE / "go.sum"


@dataclasses.dataclass(frozen=True)
class Tool:
    """How one binary is built, how it tells its version, and about how long a cold build takes on two cores."""

    package: str
    module: str
    version_args: tuple[str, ...]
    cold_seconds: int


KUBERNETES = "k8s.io/kubernetes"
HELM = "helm.sh/helm/v3"
ETCD = "go.etcd.io/etcd/server/v3"

TOOLS = {
    "etcd": Tool(ETCD, ETCD, ("--version",), 50),
    "kube-apiserver": Tool(f"{KUBERNETES}/cmd/kube-apiserver", KUBERNETES, ("--version",), 180),
    "kubectl": Tool(f"{KUBERNETES}/cmd/kubectl", KUBERNETES, ("version", "--client"), 25),
    "helm": Tool(f"{HELM}/cmd/helm", HELM, ("version", "--short"), 15),
    "kube-controller-manager": Tool(f"{KUBERNETES}/cmd/kube-controller-manager", KUBERNETES, ("--version",), 60),
    "kube-scheduler": Tool(f"{KUBERNETES}/cmd/kube-scheduler", KUBERNETES, ("--version",), 10),
}

TRANSIENT = re.compile(
    r"dial tcp|i/o timeout|TLS handshake|connection re(set|fused)|unexpected EOF|server misbehaving|\b(429|50[0234])\b"
)


def pinned(module: str, pins: str | None = None) -> str:
    """The version, without its `v`, at which `go.mod` requires a module."""
    text = PINS.read_text() if pins is None else pins
    match = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+v(\S+)", text, re.MULTILINE)
    if not match:
        raise LabError(f"go.mod does not require {module}")
    return match.group(1)


def version_in(text: str) -> str | None:
    """The first version in what a tool prints about itself: `Kubernetes v1.34.4`, `etcd Version: 3.6.4`, `v3.19.5+g1`."""
    match = re.search(r"\bv?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)", text)
    return match.group(1) if match else None


def stamp() -> str:
    """Linker flags that tell the binaries who they are: without them `/version` and Helm's capabilities are wrong."""
    kubernetes, helm = pinned(KUBERNETES), pinned(HELM)
    major, minor, _ = kubernetes.split(".", 2)
    values = {
        f"{package}.{name}": value
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for name, value in (("gitMajor", major), ("gitMinor", minor), ("gitVersion", f"v{kubernetes}"), ("gitTreeState", "clean"))
    } | {
        f"{HELM}/internal/version.version": f"v{helm}",
        f"{HELM}/pkg/lint/rules.k8sVersionMajor": major,
        f"{HELM}/pkg/lint/rules.k8sVersionMinor": minor,
        f"{HELM}/pkg/chartutil.k8sVersionMajor": major,
        f"{HELM}/pkg/chartutil.k8sVersionMinor": minor,
    }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])


def cache_root() -> pathlib.Path:
    """Where built things live between runs: never in the tree."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "plumbline"


def cache_dir() -> pathlib.Path:
    """The folder of exactly these pins."""
    digest = hashlib.sha256(SUMS.read_bytes() + PINS.read_bytes() + stamp().encode()).hexdigest()
    return cache_root() / "cluster" / digest[:16]


@contextlib.contextmanager
def only_one(folder: pathlib.Path, what: str):
    """Let one process at a time build into a folder; the others wait and then find the work done."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(f"waiting for another run that builds {what}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def provide(names: list[str]) -> dict[str, pathlib.Path]:
    """The path of each named tool, built if this machine has none in the pinned version."""
    unknown = sorted(set(names) - TOOLS.keys())
    if unknown:
        raise LabError(f"unknown tool {', '.join(unknown)}; there are {', '.join(TOOLS)}")
    folder = cache_dir()
    paths = {name: _find(name, folder) for name in names}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        with only_one(folder, "the Kubernetes tools"):
            for name in missing:
                if not (folder / name).exists():
                    _build(name, folder)
                paths[name] = folder / name
    return paths


def _find(name: str, folder: pathlib.Path) -> pathlib.Path | None:
    """KUBEBUILDER_ASSETS first, then the cache, then PATH; the two that are not ours must say the right version."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and _right_version(name, pathlib.Path(assets) / name):
        return pathlib.Path(assets) / name
    if (folder / name).exists():
        return folder / name
    on_path = shutil.which(name)
    if on_path and _right_version(name, pathlib.Path(on_path)):
        return pathlib.Path(on_path)
    return None


def _right_version(name: str, path: pathlib.Path) -> bool:
    tool = TOOLS[name]
    try:
        told = subprocess.run([path, *tool.version_args], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return version_in(told.stdout) == pinned(tool.module)


def _build(name: str, folder: pathlib.Path) -> None:
    if not shutil.which("go"):
        raise LabError(f"{name} has to be built and there is no `go` on PATH (1.24 or later, https://go.dev/dl)")
    tool = TOOLS[name]
    # A name of its own until it is whole: nobody ever runs half a binary.
    unfinished = folder / f".{name}.{os.getpid()}"
    command = ["go", "build", "-trimpath", "-ldflags", stamp(), "-o", str(unfinished), tool.package]
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    try:
        with step(f"building {name} {pinned(tool.module)} (about {_about(tool.cold_seconds)} the first time)"):
            _go(command, environment)
        unfinished.rename(folder / name)
    finally:
        unfinished.unlink(missing_ok=True)


def _go(command: list[str], environment: dict[str, str], attempts: int = 3) -> None:
    """Run go; a stumble of the network is tried again, as a cold cache downloads several hundred modules."""
    for attempt in range(1, attempts + 1):
        run = subprocess.run(
            command,
            cwd=HERE,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            preexec_fn=die_with(os.getpid(), signal.SIGTERM),
        )
        if run.returncode == 0:
            return
        if attempt == attempts or not TRANSIENT.search(run.stderr):
            raise LabError(f"{' '.join(command[:2])} {command[-1]} failed:\n{run.stderr[-4000:]}")
        say(f"the network stumbled, again in {5 * attempt} s: {run.stderr.strip().splitlines()[-1]}")
        time.sleep(5 * attempt)


def _about(seconds: int) -> str:
    return f"{round(seconds / 60)} minutes" if seconds > 90 else f"{seconds} seconds" if seconds < 60 else "a minute"

"""All of it behind one `with`."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from . import binaries, moto, plane
from .control import Control
from .errors import LabError
from .processes import Watchdog
from .progress import say, step

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(SystemExit):
    """A signal asked this program to end. Raised in the main thread, so that every `with` closes on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def end_on_signals() -> None:
    """Turn a request to end into `Ended`; a second one does not disturb the tidying up."""

    def end(number: int, _frame: object) -> None:
        for ending in ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
        raise Ended(number)

    for ending in ENDINGS:
        signal.signal(ending, end)


class Lab:
    """A real Kubernetes API, and on request its controllers, its scheduler and moto.

    Ready when the `with` block begins, gone without a trace when it ends, however it ends.
    """

    def __init__(
        self,
        *,
        controller_manager: bool = False,
        scheduler: bool = False,
        moto: bool = False,
        crds: str | os.PathLike | None = None,
        keep: bool = False,
    ) -> None:
        """`crds` is a file or folder of definitions, which are there before any controller starts."""
        wanted = {"controller-manager": controller_manager, "scheduler": scheduler}
        self._extras = plane.check_extras([name for name, on in wanted.items() if on])
        self._wants_moto = moto
        self._crds = crds
        self._keep = keep
        self._closing = contextlib.ExitStack()
        self._moto: moto.Moto | None = None
        self.ready_seconds = 0.0

    def __enter__(self) -> "Lab":
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            end_on_signals()
        with contextlib.ExitStack() as undo:
            self._start(undo)
            self._closing = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._dead():
            say(f"{child.name} had ended by itself; the end of its log:\n{child.tail()}")
        self._closing.close()

    def _start(self, undo: contextlib.ExitStack) -> None:
        tools = binaries.provide(["etcd", "kube-apiserver", "kubectl", "helm", *(f"kube-{extra}" for extra in self._extras)])
        python = moto.provide() if self._wants_moto else None

        began = time.monotonic()
        watchdog = Watchdog()
        undo.callback(watchdog.close)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="plumbline-lab-"))
        if self._keep:
            undo.callback(say, f"kept {self.folder}")
        else:
            watchdog.tell("folder", self.folder)
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for name, path in tools.items():
            (self.bin / name).symlink_to(path.absolute())
        self.watchdog = watchdog

        what = ", ".join(["etcd", "kube-apiserver", *(f"kube-{extra}" for extra in self._extras), *(["moto"] if python else [])])
        with step(f"starting {what}"):
            self._plane = plane.Plane(self.folder, tools, watchdog)
            undo.callback(self._plane.stop)
            self.kubeconfig, self.logs, self.audit_log = self._plane.kubeconfig, self._plane.logs, self._plane.audit_log
            self._control = Control(
                {
                    "/restart-apiserver": self.restart_apiserver,
                    "/stop-apiserver": self.stop_apiserver,
                    "/crash-apiserver": lambda: self.stop_apiserver(crash=True),
                    "/start-apiserver": self.start_apiserver,
                    "/restart-controller-manager": self.restart_controller_manager,
                }
            )
            undo.callback(self._control.close)
            if python:
                self._moto = moto.Moto(python, self.logs, watchdog)
                undo.callback(self._moto.stop)
            with concurrent.futures.ThreadPoolExecutor(max_workers=1) as beside:
                moto_started = beside.submit(self._moto.start) if self._moto else None
                self._plane.start_api()
                if self._crds:
                    self._install(self._crds)
                self._plane.start_extras(self._extras)
                if moto_started:
                    moto_started.result()
        self.ready_seconds = time.monotonic() - began

    @property
    def api_url(self) -> str:
        """The address of the API server; it stays the same over restarts."""
        return self._plane.url

    @property
    def moto_url(self) -> str:
        if not self._moto:
            raise LabError("this lab has no moto: Lab(moto=True), or --moto")
        return self._moto.url

    @property
    def control_url(self) -> str:
        return self._control.url

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to find this lab, and nothing of it in the user's home."""
        home = self.folder / "home"
        loopback = "127.0.0.1,localhost"
        no_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), loopback]))
        found = {
            "KUBECONFIG": str(self.kubeconfig),
            # kubectl caches what an address offers, and addresses come round again.
            "KUBECACHEDIR": str(home / "kube"),
            "HELM_CACHE_HOME": str(home / "helm" / "cache"),
            "HELM_CONFIG_HOME": str(home / "helm" / "config"),
            "HELM_DATA_HOME": str(home / "helm" / "data"),
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
            "PATH": f"{self.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PLUMBLINE_PYTHON": sys.executable,
            "PLUMBLINE_TEST_BIN": str(self.bin),
            "PLUMBLINE_KUBE_AUDIT_LOG": str(self.audit_log),
            "PLUMBLINE_CLUSTER_LOGS": str(self.logs),
            "PLUMBLINE_CLUSTER_CONTROL": self.control_url,
        }
        if self._moto:
            found["PLUMBLINE_MOTO"] = self._moto.url
        return found

    def run(self, command: list[object], **more: object) -> subprocess.CompletedProcess:
        """`subprocess.run` inside the lab's environment; text, and by default checked and captured."""
        environment = os.environ | self.environment | more.pop("env", {})
        options = {"check": True, "text": True, "stdin": subprocess.DEVNULL} | more
        if "input" in options:
            del options["stdin"]
        if options.pop("capture", True):
            options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        check = options.pop("check")
        done = subprocess.run([str(word) for word in command], env=environment, **options)
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout or "").strip()
            raise LabError(f"{' '.join(map(str, command))} ended with code {done.returncode}: {said}")
        return done

    def kubectl(self, *words: object, **more: object) -> subprocess.CompletedProcess:
        """`lab.kubectl("apply", "-f", "-", input=manifest)`."""
        return self.run([self.bin / "kubectl", *words], **more)

    def helm(self, *words: object, **more: object) -> subprocess.CompletedProcess:
        """`lab.helm("install", "plumbline", "charts/plumbline")`."""
        return self.run([self.bin / "helm", *words], **more)

    def apply(self, *objects: dict[str, object]) -> None:
        """Server-side apply of objects given as dictionaries."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(items))

    def restart_apiserver(self) -> float:
        """Stop and start it at the same address; the seconds until it was ready again."""
        began = time.monotonic()
        self.stop_apiserver()
        self.start_apiserver()
        return time.monotonic() - began

    def stop_apiserver(self, crash: bool = False) -> None:
        """Take the API server away, politely or with SIGKILL."""
        # Asked politely it finishes its requests at once, and then waits up to a minute for open watches: cut that short.
        self._plane.stop_apiserver(grace=0.0 if crash else 1.0)

    def start_apiserver(self) -> float:
        """Bring it back; the seconds until it was ready."""
        return self._plane.start_apiserver()

    def restart_controller_manager(self) -> float:
        """For a test that installs kinds of its own: their garbage is collected from now on, not only after half a minute."""
        return self._plane.restart_controller_manager()

    def audited(self) -> list[str]:
        """The lines of the API server's audit log up to now. The last one may be on its way: it is left out."""
        return [line for line in self.audit_log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def _install(self, definitions: str | os.PathLike) -> None:
        # Before the controllers, as the garbage collector looks for new kinds every 30 s only.
        self.kubectl("apply", "--server-side", "-f", pathlib.Path(definitions).absolute())
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")

    @property
    def pids(self) -> dict[str, int]:
        """What runs, by its name: to be measured."""
        children = [*self._plane.children(), *([self._moto.child] if self._moto else [])]
        return {child.name: child.pid for child in children}

    def _dead(self) -> list:
        return [*self._plane.dead(), *(self._moto.dead() if self._moto else [])]

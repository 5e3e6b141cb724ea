"""The control plane: etcd, kube-apiserver, and on request kube-controller-manager and kube-scheduler.

Everything listens on 127.0.0.1 and keeps its data in one folder. RBAC is on, and so is everything Kubernetes has on by
default: CEL validation, ValidatingAdmissionPolicy, server-side apply, TokenRequest.
"""

import concurrent.futures
import pathlib
import ssl
import time

from . import certs
from .errors import LabError
from .processes import Child, Watchdog, answers, free_port, retry_ports

AUDIT_POLICY = pathlib.Path(__file__).resolve().parent.parent / "audit-policy.json"
# By default the API server collects garbage for a fifth of its time, which the tests then wait for: rather some memory.
SELDOM = {"GOGC": "300", "GOMEMLIMIT": "3GiB"}
SERVICES = "10.96.0.0/16"
EXTRAS = ("controller-manager", "scheduler")


class Plane:
    """A running control plane in a folder."""

    def __init__(self, folder: pathlib.Path, tools: dict[str, pathlib.Path], watchdog: Watchdog) -> None:
        self._folder = folder
        self._tools = tools
        self._watchdog = watchdog
        self._pki = certs.create(folder / "pki")
        self._trust = ssl.create_default_context(cafile=str(self._pki.certificate("ca")))
        self._etcd_url = ""
        self._port = 0
        self._children: dict[str, Child] = {}
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.kubeconfig = folder / "kubeconfig"
        self.audit_log = self.logs / "audit.jsonl"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def start_api(self) -> None:
        """Start the store and the API server; back when it is ready."""
        retry_ports(self._start_etcd)
        retry_ports(self._start_apiserver_anywhere)
        self._write_kubeconfig("admin", self.kubeconfig)

    def start_extras(self, extras: tuple[str, ...]) -> None:
        """Start its clients; back when they are at work."""
        with concurrent.futures.ThreadPoolExecutor() as together:
            list(together.map(lambda extra: retry_ports(lambda: self._start_client(f"kube-{extra}")), extras))
        if "controller-manager" in extras:
            self._await_default_account()

    def stop(self) -> None:
        """Kill everything, the API server before its store. The data is thrown away, so nothing is asked politely."""
        for name in reversed(list(self._children)):
            self._children.pop(name).stop()

    def children(self) -> list[Child]:
        """Everything that was started and not stopped."""
        return list(self._children.values())

    def dead(self) -> list[Child]:
        """Those that ended by themselves."""
        return [child for child in self.children() if not child.alive()]

    def stop_apiserver(self, grace: float) -> None:
        """Take the API server away; without grace it is a crash. Everything else stays, and so does the data."""
        server = self._children.pop("kube-apiserver", None)
        if server:
            server.stop(grace)

    def start_apiserver(self) -> float:
        """Bring it back at the same address; the seconds until it was ready."""
        began = time.monotonic()
        if "kube-apiserver" not in self._children:
            self._start_apiserver()
        return time.monotonic() - began

    def restart_controller_manager(self) -> float:
        """Start it afresh, so that its garbage collector sees new kinds at once; the seconds until it was at work."""
        began = time.monotonic()
        name = "kube-controller-manager"
        if name not in self._children:
            raise LabError("this lab has no controller-manager: Lab(controller_manager=True), or --with controller-manager")
        self._children.pop(name).stop()
        retry_ports(lambda: self._start_client(name))
        return time.monotonic() - began

    def _spawn(self, name: str, *flags: object) -> Child:
        child = Child(name, [self._tools[name], *flags], self.logs / f"{name}.log", self._watchdog, **SELDOM)
        self._children[name] = child
        return child

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        data = self._folder / f"etcd-{client.rpartition(':')[2]}"  # a member remembers its address: new port, new data
        child = self._spawn(
            "etcd",
            f"--data-dir={data}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        child.await_ready(lambda: answers(f"{client}/health"))
        self._etcd_url = client

    def _start_apiserver_anywhere(self) -> None:
        self._port = free_port()
        self._start_apiserver()

    def _start_apiserver(self) -> None:
        pki = self._pki
        child = self._spawn(
            "kube-apiserver",
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            "--endpoint-reconciler-type=none",
            f"--service-cluster-ip-range={SERVICES}",
            f"--tls-cert-file={pki.certificate('server')}",
            f"--tls-private-key-file={pki.key('server')}",
            f"--client-ca-file={pki.certificate('ca')}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki.folder / 'service-accounts.pub'}",
            f"--service-account-signing-key-file={pki.folder / 'service-accounts.key'}",
            f"--audit-policy-file={AUDIT_POLICY}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-format=json",
            "--audit-log-mode=blocking",  # a test that has its answer finds its line
            "--profiling=false",
        )
        child.await_ready(lambda: answers(f"{self.url}/readyz", self._trust))

    def _start_client(self, name: str) -> None:
        kubeconfig = self._folder / f"{name}.kubeconfig"
        self._write_kubeconfig(name, kubeconfig)
        port = free_port()
        flags = [
            f"--kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={self._pki.certificate('server')}",
            f"--tls-private-key-file={self._pki.key('server')}",
            "--leader-elect=false",
            "--kube-api-qps=1000",  # the defaults spare a shared API server, and cost the controllers 4 s of start
            "--kube-api-burst=1000",
        ]
        if name == "kube-controller-manager":
            flags += [
                f"--root-ca-file={self._pki.certificate('ca')}",
                f"--service-account-private-key-file={self._pki.folder / 'service-accounts.key'}",
                "--use-service-account-credentials",
            ]
        child = self._spawn(name, *flags)
        child.await_ready(lambda: answers(f"https://127.0.0.1:{port}/healthz", self._trust))

    def _await_default_account(self) -> None:
        """The controller-manager is at work once the first namespace has its service account."""
        account = f"{self.url}/api/v1/namespaces/default/serviceaccounts/default"
        admin = ssl.create_default_context(cafile=str(self._pki.certificate("ca")))
        admin.load_cert_chain(self._pki.certificate("admin"), self._pki.key("admin"))
        self._children["kube-controller-manager"].await_ready(lambda: answers(account, admin))

    def _write_kubeconfig(self, user: str, path: pathlib.Path) -> None:
        path.touch(mode=0o600)
        path.write_text(self._pki.kubeconfig(user, self.url))


def check_extras(names: list[str]) -> tuple[str, ...]:
    """What `--with` named, in the order in which it is started."""
    unknown = sorted(set(names) - set(EXTRAS))
    if unknown:
        raise LabError(f"cannot start {', '.join(unknown)}; --with takes {', '.join(EXTRAS)}")
    return tuple(extra for extra in EXTRAS if extra in names)

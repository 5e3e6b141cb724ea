"""Sweeps of the controller, on a real Kubernetes API."""

import contextlib
import dataclasses
import json
import pathlib

from aws import Awsim
from cluster import ROOT, Child, Lab, answers, free_port
from meter import Cost, Live

HERE = pathlib.Path(__file__).resolve().parent
NAMESPACE = "plumbline-system"
POLICY = ("endpointpolicy/https-only", "--namespace", "payments")
ACCOUNT = "awsaccount/prod"
PATIENCE = "--timeout=300s"
# What a controller writes whether or not it sweeps.
ASIDE = frozenset({"leases", "events"})


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One sweep: its cost, its calls to AWS and what it wrote to Kubernetes, both by name."""

    cost: Cost
    calls: dict[str, int]
    writes: dict[str, int]


class Controllers:
    """Controllers, one after the other, in one cluster."""

    def __init__(self, lab: Lab, program: pathlib.Path, awsim: Awsim, environment: dict[str, str], apis: int) -> None:
        self._lab, self._program, self._awsim, self._environment, self._apis = lab, program, awsim, environment, apis
        self._writes = Writes(lab.audit_log)
        for namespace in (NAMESPACE, "payments"):
            lab.kubectl("create", "namespace", namespace)

    def round(self, steady: int) -> tuple[Sweep, list[Sweep]]:
        """A new controller that has seen nothing yet: its first sweep, and then some in which nothing is new."""
        self._lab.kubectl("apply", "-f", HERE / "account.yaml", "-f", ROOT / "demo" / "policy.yaml")
        with contextlib.ExitStack() as closing:
            self._awsim.forget()
            self._writes.since()
            child, live = self._start()
            closing.callback(child.stop, 10.0)
            first = self._first(live)
            again = [self._again(live, str(number)) for number in range(steady)]
        self._lab.kubectl("delete", "-f", HERE / "account.yaml", "-f", ROOT / "demo" / "policy.yaml")
        self._lab.kubectl("delete", "--raw", "/apis/plumbline.dev/v1alpha1/awsendpoints")
        return first, again

    def _start(self) -> tuple[Child, Live]:
        health = f"127.0.0.1:{free_port()}"
        words = ["run", "--namespace", NAMESPACE, "--identity", "bench", "--listen", health, "--budget", "none"]
        log = self._lab.logs / "plumbline.log"
        child = Child("plumbline", [self._program, *words], log, self._lab.watchdog, **self._environment)
        live = Live(child.pid)
        child.await_ready(lambda: answers(f"http://{health}/readyz"), deadline=30)
        return child, live

    def _first(self, live: Live) -> Sweep:
        """Until every endpoint is judged: from the start of the process, with all that it starts with."""
        self._wait(*POLICY, f"--for=jsonpath={{.status.endpoints}}={self._apis}")
        self._wait(*POLICY, "--for=condition=Compliant")
        self._wait(ACCOUNT, "--for=jsonpath={.status.lastSweepTime}")
        return Sweep(live.cost(), self._calls(), self._writes.since())

    def _again(self, live: Live, name: str) -> Sweep:
        """Asked for as a person asks: by an annotation. Until the account says that it was done."""
        live.restart()
        self._lab.kubectl("annotate", ACCOUNT, "--overwrite", f"plumbline.dev/requestedAt={name}")
        self._wait(ACCOUNT, f"--for=jsonpath={{.status.lastHandledReconcileAt}}={name}")
        return Sweep(live.cost(), self._calls(), self._writes.since())

    def _wait(self, *words: str) -> None:
        self._lab.kubectl("wait", *words, PATIENCE)

    def _calls(self) -> dict[str, int]:
        found = self._awsim.by_operation()
        self._awsim.forget()
        return found


class Writes:
    """What the controller wrote, as the API server's audit log has it."""

    def __init__(self, log: pathlib.Path) -> None:
        self._log, self._read = log, 0

    def since(self, aside: frozenset[str] = ASIDE) -> dict[str, int]:
        """Since this was last asked, by what was written; what was refused because it stood otherwise is counted by itself."""
        found: dict[str, int] = {}
        with open(self._log, "rb") as log:
            log.seek(self._read)
            text = log.read()
        end = text.rfind(b"\n") + 1
        self._read += end
        for event in map(json.loads, text[:end].splitlines()):
            reads = event["verb"] in ("get", "list", "watch")
            what = event.get("objectRef", {})
            if reads or what.get("resource") in aside or event.get("userAgent", "").startswith("kubectl"):
                continue
            name = "/".join(filter(None, [what.get("resource"), what.get("subresource")]))
            if event.get("responseStatus", {}).get("code") == 409:
                name += " (conflicts)"
            found[name] = found.get(name, 0) + 1
        return found

"""What the story plays in: Kubernetes with the chart installed, AWS, and the controller beside the cluster."""

import contextlib
import json
import os
import pathlib

import aws
from cluster import ROOT, Child, Lab, answers, free_port, moto_python, retry_ports
from telling import Shortfall, demand, say, until
from witness import Witness

HERE = pathlib.Path(__file__).resolve().parent
NAMESPACE = "plumbline-system"
POLICY_NAMESPACE = "payments"


class Scene:
    """Everything that runs. Ready when the `with` block begins; the lab takes all of it away."""

    def __init__(self, lab: Lab, binaries: pathlib.Path) -> None:
        self.lab = lab
        self._binaries = binaries
        self._closing = contextlib.ExitStack()
        self.controller: Child | None = None
        self.drifts = Drifts()

    def __enter__(self) -> "Scene":
        with contextlib.ExitStack() as undo:
            self._start_aws(undo)
            self._closing = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _start_aws(self, undo: contextlib.ExitStack) -> None:
        aws.import_boto3(moto_python())
        words = ("--listen", "127.0.0.1:0", "--account", aws.ACCOUNT, "--seed", HERE / "fleet.json")
        awsim = self._child("awsim", *words, "--sts", self.lab.moto_url)
        undo.callback(awsim.stop)
        awsim.await_ready(lambda: "listening on" in awsim.tail())
        address = awsim.tail().partition("listening on ")[2].split()[0]
        self.witness = Witness(self.lab.moto_url)
        undo.callback(self.witness.close)
        self.aws = aws.Aws(address, self.lab.moto_url)
        self.aws.furnish()

    def _child(self, program: str, *words: object, **environment: str) -> Child:
        command = [self._binaries / program, *words]
        return Child(program, command, self.lab.logs / f"{program}.log", self.lab.watchdog, **environment)

    def install(self) -> None:
        """CRDs, ServiceAccount, RBAC and Deployment, as on any cluster."""
        chart = ROOT / "charts" / "plumbline"
        self.lab.helm("install", "plumbline", chart, "--namespace", NAMESPACE, "--create-namespace")
        self.lab.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")

    def run_controller(self) -> None:
        """The binary of the image with the pod's arguments and the pod's ServiceAccount, and nothing more."""
        spec = self.kubernetes("get", "deployment", "plumbline", "-n", NAMESPACE)["spec"]["template"]["spec"]
        pod = {"POD_NAMESPACE": NAMESPACE, "POD_NAME": "demo"}
        words = [self._filled(word, pod) for word in spec["containers"][0]["args"]]
        environment = {e["name"]: e["value"] for e in spec["containers"][0]["env"] if "value" in e}
        environment |= {
            "KUBECONFIG": str(self._only_the_token_of(spec["serviceAccountName"])),
            "AWS_REGION": aws.REGION,
            "AWS_ENDPOINT_URL_API_GATEWAY": self.aws.awsim,
            "AWS_ENDPOINT_URL_CLOUDTRAIL": self.aws.awsim,
            "AWS_ENDPOINT_URL_S3": self.witness.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        environment |= self.aws.user("plumbline")
        environment |= {f"AWS_ENDPOINT_URL_{service}": self.aws.moto for service in ("SNS", "SQS", "STS")}
        self._await_rights(spec["serviceAccountName"])

        def start() -> None:
            health = f"127.0.0.1:{free_port()}"
            self.controller = self._child("plumbline", *words, "--listen", health, **(self.lab.environment | environment))
            self._closing.callback(self.controller.stop, 5.0)
            self.controller.await_ready(lambda: answers(f"http://{health}/readyz"))

        retry_ports(start)

    def _await_rights(self, account: str) -> None:
        """Until the API server goes by the chart's RBAC: a watch of its own brings it the bindings."""
        person = f"--as=system:serviceaccount:{NAMESPACE}:{account}"

        def look() -> tuple[bool, str]:
            asked = [("list", "drifts.plumbline.dev", "-A"), ("create", "leases.coordination.k8s.io", "-n", NAMESPACE)]
            said = [self.lab.kubectl("auth", "can-i", *words, person, check=False).stdout.strip() for words in asked]
            return said == ["yes", "yes"], ", ".join(said)

        until("the controller's ServiceAccount has its rights", look)

    @staticmethod
    def _filled(word: str, pod: dict[str, str]) -> str:
        for name, value in pod.items():
            word = word.replace(f"$({name})", value)
        return word

    def _only_the_token_of(self, account: str) -> pathlib.Path:
        """A kubeconfig that can do what the chart's RBAC gives this ServiceAccount."""
        admin = json.loads(self.lab.kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json").stdout)
        token = self.lab.kubectl("create", "token", account, "-n", NAMESPACE, "--duration=2h").stdout.strip()
        path = self.lab.folder / "plumbline.kubeconfig"
        path.touch(mode=0o600)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": admin["clusters"][0]["cluster"]}],
            "users": [{"name": account, "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": account, "namespace": NAMESPACE}}],
            "current-context": "lab",
        }
        path.write_text(json.dumps(config))
        return path

    def declare(self) -> None:
        """The account and the policy, as the README shows them."""
        self.lab.kubectl("create", "namespace", POLICY_NAMESPACE)
        for name in ("account.yaml", "policy.yaml"):
            say(self.lab.kubectl("apply", "-f", HERE / name).stdout.strip())

    def watch_drifts(self) -> None:
        """Every change of every Drift, from now on."""
        words = ["get", "drifts", "--all-namespaces", "--watch", "--output-watch-events", "-o", "json"]
        child = Child(
            "kubectl-watch",
            [self.lab.bin / "kubectl", *words],
            self.lab.logs / "drifts.json",
            self.lab.watchdog,
            **self.lab.environment,
        )
        self._closing.callback(child.stop)
        self.drifts.log = child.log

    def kubernetes(self, *words: object) -> dict:
        """What kubectl answers, as data."""
        return json.loads(self.lab.kubectl(*words, "-o", "json").stdout)

    def policy(self) -> dict:
        return self.kubernetes("get", "endpointpolicy", "https-only", "-n", POLICY_NAMESPACE)

    def await_compliant(self) -> dict:
        """Until the policy holds everywhere, and no Drift is open."""

        def look() -> tuple[dict | None, str]:
            self.alive()
            policy = self.policy()
            status = policy.get("status", {})
            compliant = condition(policy, "Compliant")
            holds = compliant.get("status") == "True" and status.get("endpoints") == 12 and not status.get("drift")
            numbers = ", ".join(f"{status.get(name, 0)} {name}" for name in ("endpoints", "drift", "waiting", "unknown"))
            ready = condition(policy, "Ready")
            seen = f"Compliant={compliant.get('status')} ({compliant.get('reason')}), {numbers}"
            if ready.get("status") != "True":
                account = condition(self.kubernetes("get", "awsaccount", "prod"), "Ready")
                for what, stands in (("policy", ready), ("account", account)):
                    seen += f"; {what}: Ready={stands.get('status')} {stands.get('message', '')}".rstrip()
            if not holds and (status.get("drift") or status.get("unknown")):
                seen += f"; {self._troubled()}"
            return (policy if holds else None), seen

        return until("the policy is Compliant=True over 12 endpoints", look)

    def _troubled(self) -> str:
        """One of the endpoints that are not compliant, and why."""
        for endpoint in self.kubernetes("get", "awsendpoints")["items"]:
            compliant = condition(endpoint, "Compliant")
            if compliant.get("status") != "True":
                name, why = endpoint.get("status", {}).get("name"), compliant.get("message")
                return f"{name}: {compliant.get('reason')} {why}"
        return "no endpoint says why"

    def refused(self) -> list[str]:
        """What Kubernetes did not let the controller do: verbs that the chart's RBAC lacks."""
        found = set()
        for line in self.lab.audited():
            event = json.loads(line)
            denied = event.get("responseStatus", {}).get("code") == 403
            if denied and event["user"]["username"].startswith(f"system:serviceaccount:{NAMESPACE}:"):
                what = event.get("objectRef", {})
                kind = "/".join(filter(None, [what.get("resource", event["requestURI"]), what.get("subresource")]))
                found.add(f"{event['verb']} {kind}")
        return sorted(found)

    def alive(self) -> None:
        """The controller must not have ended."""
        if self.controller and not self.controller.alive():
            raise Shortfall("the controller ended by itself")

    @property
    def exports(self) -> str:
        """What a shell needs to look around."""
        found = {"KUBECONFIG": str(self.lab.kubeconfig), "PATH": f"{self.lab.bin}{os.pathsep}$PATH"}
        return "\n".join(f'export {name}="{value}"' for name, value in found.items())


class Drifts:
    """The Drifts as a watch tells of them: how each stands now, and how it stood before."""

    def __init__(self) -> None:
        self.log: pathlib.Path | None = None
        self._read = 0
        self._text = ""
        self._histories: dict[str, list[dict]] = {}

    def look(self) -> dict[str, list[dict]]:
        """Each Drift's versions by its uid, oldest first."""
        with open(self.log, "rb") as log:
            log.seek(self._read)
            fresh = log.read()
        end = fresh.rfind(b"\n") + 1  # whole lines only
        self._read += end
        self._text += fresh[:end].decode()
        decoder = json.JSONDecoder()
        while self._text:
            self._text = self._text.lstrip()
            if not self._text.startswith("{"):  # kubectl's own words
                self._text = self._text.partition("\n")[2]
                continue
            try:
                event, length = decoder.raw_decode(self._text)
            except json.JSONDecodeError:
                break  # the rest is on its way
            self._text = self._text[length:]
            if event["type"] != "DELETED":
                drift = event["object"]
                self._histories.setdefault(drift["metadata"]["uid"], []).append(drift)
        return self._histories

    def of(self, api: str, rule: str) -> list[dict]:
        """The versions of the one Drift of a rule on an API; none if there is none yet."""
        found = [
            history
            for history in self.look().values()
            if history[-1]["spec"]["rule"] == rule and history[-1].get("status", {}).get("endpointName") == api
        ]
        demand(len(found) < 2, f"{rule} on {api} must be one Drift, and there are {len(found)}")
        return found[0] if found else []


def condition(thing: dict, kind: str) -> dict:
    """A condition, or nothing."""
    conditions = thing.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == kind), {})

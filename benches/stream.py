"""The stream of events: from the arrival of a message to the Drift, and to the repair that was read back.

awsim delivers what its trail records to a queue of moto's, in EventBridge's envelope. Somebody makes changes at a constant
rate, each on another API, so each is one Drift. Everything runs on the same machine: what it costs is told as well.

Arrival is moto's SentTimestamp, of a second queue that gets the same events and that nobody reads meanwhile, as the
controller deletes what it reads. The two are sent to side by side: now and then the second is the later one, and a span less
than nothing. `since sent` has no such doubt and counts more: from before the call that made the change, with all that awsim and
moto take. When a Drift is persisted or repaired is what a watch of Kubernetes told, by the bench's own clock.
"""

import contextlib
import dataclasses
import json
import pathlib
import time

import aws
import meter
import moto
from changes import WHO, Change, Driver, Gateway, in_clear_text, untraced
from cluster import ROOT, Child, Lab, answers, free_port
from sweeps import ACCOUNT, HERE, NAMESPACE, PATIENCE, POLICY, Writes
from watch import Watch

LIMITS = {"settle": "0s", "share": "100%", "repairsPerHour": 1000}
WITHIN = 60.0  # seconds after the last change
QUIET = 3.0  # nothing more comes, if so many seconds long nothing came


@dataclasses.dataclass(frozen=True)
class Load:
    """Which changes, how many of them a second, what the policy does, and whether records and messages leave the cluster."""

    title: str
    change: Change
    rate: float
    seconds: float
    enforcement: str = "Enforce"
    audited: bool = False

    @property
    def changes(self) -> int:
        return round(self.rate * self.seconds)


def loads(rate: float, seconds: float) -> list[Load]:
    """To the Drift alone, to the repair, and what that depends on."""
    return [
        Load("a stage's tracing goes off, Audit", untraced, rate, seconds, enforcement="Audit"),
        Load("a stage's tracing goes off, Enforce", untraced, rate, seconds),
        Load("the same with an audit bucket and both topics", untraced, rate, seconds, audited=True),
        Load("the same without them, a tenth as often", untraced, rate / 10, seconds),
        Load("an integration calls http:// and is deployed, Enforce", in_clear_text, rate / 10, seconds),
    ]


class Stream:
    """One control plane with moto, awsim and a controller that listens."""

    def __init__(self, words, folder: pathlib.Path, load: Load, closing: contextlib.ExitStack) -> None:
        self._words, self._load = words, load
        self._lab = closing.enter_context(Lab(crds=ROOT / "crds", moto=True))
        sts = closing.enter_context(contextlib.closing(aws.Sts()))
        self._awsim = aws.Awsim(words.binaries / "awsim", folder, self._lab.watchdog, words.apis)
        closing.callback(self._awsim.close)
        self._queue, self._witness = self._furnish()
        self._health = f"127.0.0.1:{free_port()}"
        self._controller = self._start(sts)
        closing.callback(self._controller.stop, 10.0)
        self._ready()
        self._watch, self._writes = Watch(self._lab), Writes(self._lab.audit_log)

    def _furnish(self) -> tuple[str, str]:
        """The objects. Gives the queue that the account names, and the one that is read only afterwards."""
        url = self._lab.moto_url
        queue, witness = moto.queue(url, "events"), moto.queue(url, "witness")
        for one in (witness, queue):
            self._awsim.deliver(one)
        spec: dict = {"events": {"queues": [queue]}}
        if self._load.audited:
            moto.bucket(url)
            spec |= {"audit": {"bucket": moto.BUCKET}}
            spec |= {"notify": {kind: {"topicArn": moto.topic(url, kind)} for kind in ("people", "machines")}}
        for namespace in (NAMESPACE, "payments"):
            self._lab.kubectl("create", "namespace", namespace)
        self._apply(HERE / "account.yaml", spec)
        self._apply(ROOT / "demo" / "policy.yaml", {"limits": LIMITS, "enforcement": self._load.enforcement})
        return queue, witness

    def _apply(self, file: pathlib.Path, spec: dict) -> None:
        words = ("patch", "--local", "-f", file, "--type=merge", "-o", "json", "-p", json.dumps({"spec": spec}))
        self._lab.kubectl("apply", "-f", "-", input=self._lab.kubectl(*words).stdout)

    def _start(self, sts: aws.Sts) -> Child:
        environment = self._lab.environment | aws.environment(self._awsim, sts)
        environment |= {"AWS_ENDPOINT_URL_CLOUDTRAIL": self._awsim.url}
        environment |= {f"AWS_ENDPOINT_URL_{service}": self._lab.moto_url for service in ("SQS", "SNS", "S3")}
        words = ["run", "--namespace", NAMESPACE, "--identity", "bench", "--listen", self._health, "--budget", "none"]
        log = self._lab.logs / "plumbline.log"
        child = Child("plumbline", [self._words.binaries / "plumbline", *words], log, self._lab.watchdog, **environment)
        child.await_ready(lambda: answers(f"http://{self._health}/readyz"), deadline=30)
        return child

    def _ready(self) -> None:
        """All is swept, judged and compliant, and the queue is listened to."""
        for words in (
            (*POLICY, f"--for=jsonpath={{.status.endpoints}}={self._words.apis}"),
            (*POLICY, "--for=condition=Compliant"),
            (ACCOUNT, "--for=jsonpath={.status.lastSweepTime}"),
            (ACCOUNT, "--for=condition=Listening"),
        ):
            self._lab.kubectl("wait", *words, PATIENCE)

    def measure(self) -> None:
        load = self._load
        lives = {name: meter.Live(pid) for name, pid in self._running().items()}
        apis = Gateway(self._awsim.url).apis()[: load.changes]
        self._writes.since()
        for live in lives.values():
            live.restart()
        made = Driver(self._awsim.url, load.change).run(apis, load.rate)
        under_load = {name: live.cost() for name, live in lives.items()}
        self._until_over(len(apis))
        costs = {name: live.cost() for name, live in lives.items()}
        arrived = self._arrived(made)
        self._tell_spans(made, arrived)
        self._tell_costs(under_load, costs)
        self._tell_metrics()

    def _running(self) -> dict[str, int]:
        return {"plumbline": self._controller.pid, "awsim": self._awsim.pid} | self._lab.pids

    def _until_over(self, changes: int) -> None:
        """Until every Drift is there and, where that is to be, resolved; and nothing comes any more."""
        ends, seen, since = time.monotonic() + WITHIN, 0, time.monotonic()
        while time.monotonic() < ends:
            time.sleep(0.5)
            if self._watch.seen() != seen:
                seen, since = self._watch.seen(), time.monotonic()
            elif time.monotonic() - since > QUIET and len(self._firsts(self._spans()[-1][1])) >= changes:
                return

    def _spans(self) -> list:
        """What is measured, each with what holds of a Drift from then on."""
        repaired = [("resolved", is_resolved)] if self._load.enforcement == "Enforce" else []
        return [("persisted", is_live), *repaired]

    def _arrived(self, made: dict) -> dict[str, float]:
        """When moto took the message of each API's change, by the monotonic clock: of the last call of the change."""
        found, offset = {}, moto.offset()
        for at, detail in moto.arrivals(self._lab.moto_url, self._witness):
            api = (detail.get("requestParameters") or {}).get("restApiId")
            if api in made and detail["userIdentity"]["arn"].endswith(f"user/{WHO}"):
                found[api] = max(at - offset, found.get(api, 0.0))
        return found

    def _firsts(self, holds) -> dict[str, float]:
        """When the first version of an API's Drift was told of which something holds."""
        found: dict[str, float] = {}
        for at, drift in self._watch.versions():
            if holds(drift):
                found.setdefault(drift["spec"]["endpoint"].rpartition("-")[2], at)
        return found

    def _tell_spans(self, made: dict, arrived: dict[str, float]) -> None:
        load = self._load
        meter.title(f"the stream: {load.title}, {load.rate:g} changes/s for {load.seconds:g} s")
        late = [m.sent - m.due for m in made.values()]
        meter.line("made", f"{len(made):,}", f"each on another API; the driver was late by {1000 * max(late):.0f} ms at most")
        meter.spread("sent", [arrived[api] - m.sent for api, m in made.items() if api in arrived], len(made))
        for name, holds in self._spans():
            firsts = self._firsts(holds)
            meter.spread(name, [firsts[api] - arrived[api] for api in firsts if api in arrived], len(made))
            meter.spread("  since sent", [firsts[api] - made[api].sent for api in firsts if api in made], len(made))
        phases: dict[str, int] = {}
        for drift in {d["metadata"]["uid"]: d for _, d in self._watch.versions()}.values():
            status = drift.get("status", {})
            name = " ".join(filter(None, [status.get("phase"), status.get("resolution") or status.get("reason")]))
            phases[name] = phases.get(name, 0) + 1
        meter.counts("Drifts", phases, "in all")
        meter.counts("Kubernetes", self._writes.since(frozenset({"leases"})), "writes")
        meter.line("versions", f"{self._watch.seen():,}", "of Drifts told by the watch")
        meter.line("left over", f"{moto.depth(self._lab.moto_url, self._queue)}", "messages in the queue")

    def _tell_costs(self, under_load: dict[str, meter.Cost], costs: dict[str, meter.Cost]) -> None:
        for name, cost in costs.items():
            loaded = under_load[name]
            share = f"{100 * loaded.cpu / loaded.wall:.0f} % of a core while changes were made"
            meter.line(name, f"{cost.cpu:.1f} s", f"of CPU time, {share}; {cost.memory:,.0f} MB at most")

    def _tell_metrics(self) -> None:
        """What the controller itself says of it."""
        text = aws.ask(f"http://{self._health}/metrics").decode()
        name = "plumbline_message_to_drift_seconds_bucket"
        told = [line.rpartition(" ") for line in text.splitlines() if line.startswith(name)]
        buckets = [f"{count} in {where.partition('le=')[2].strip('}').strip(chr(34))} s" for where, _, count in told]
        meter.line("its metrics", f"{told[-1][2]}", f"from taking to Drift: {', '.join(buckets)}")


def is_live(drift: dict) -> bool:
    return "detectedAt" in drift.get("status", {}) and drift["status"].get("scope") == "Live"


def is_resolved(drift: dict) -> bool:
    return drift.get("status", {}).get("phase") == "Resolved"


def measure(words, folder: pathlib.Path) -> None:
    """Each load in a cluster of its own."""
    for load in loads(words.rate, words.seconds)[words.load]:
        meter.progress(f"the stream: {load.title}")
        with contextlib.ExitStack() as closing:
            Stream(words, folder, load, closing).measure()

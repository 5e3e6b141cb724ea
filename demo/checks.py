"""Each step is held against what awsim, moto and the Kubernetes API hold. A check that fails is a `Shortfall`."""

import copy
import json

from aws import ACCOUNT, BUCKET, REGION, Aws
from scene import Drifts, Scene, condition
from story import STAGES, UNFINISHED, Change
from telling import demand, say, until

US = "plumbline"
NEW_DEPLOYMENT = "(the new deployment)"


def await_drift(scene: Scene, change: Change, phase: str, reason: str = "") -> dict:
    """Until the change's Drift stands in a phase, for a reason if one is given."""

    def look() -> tuple[dict | None, str]:
        scene.alive()
        history = scene.drifts.of(change.api, change.rule)
        if not history:
            compliant = condition(scene.policy(), "Compliant")
            return None, f"no Drift yet, and the policy says {compliant.get('reason')} {compliant.get('message')}"
        status = history[-1]["status"]
        seen = f"{status['phase']} {status.get('reason', '')}: {status.get('message', '')}"
        over = status["phase"] == "Resolved" and phase != "Resolved"
        demand(not over, f"{change.api} {change.rule} must stand in {phase} first, and is {seen}")
        there = status["phase"] == phase and reason in ("", status.get("reason"))
        return (history[-1] if there else None), seen

    return until(f"{change.api} {change.rule}: {phase}", look)


# What was found.


def first_planned(drifts: Drifts, change: Change) -> dict:
    """The Drift when it first had a plan."""
    history = drifts.of(change.api, change.rule)
    planned = next((d for d in history if d.get("status", {}).get("plan")), None)
    demand(planned, f"{change.api}: no version of the Drift has a plan")
    return planned


def finding(drifts: Drifts, change: Change) -> None:
    """Observed, desired and difference say what happened, and the resource is the right one."""
    drift = first_planned(drifts, change)
    spec, status = drift["spec"], drift["status"]
    name = f"{change.api}, {change.rule}"
    demand(spec["resource"] == change.resource, f"{name}: the resource is {spec['resource']!r}, not {change.resource!r}")
    demand(status.get("scope") == "Live", f"{name}: scope {status.get('scope')}, and callers meet it")
    stages = sorted(status.get("stages", []))
    demand(stages == sorted(change.stages), f"{name}: callers of {change.stages} meet it, not of {stages}")
    observed, desired = (json.dumps(status.get(side, {}).get("value")) for side in ("observed", "desired"))
    demand(change.found in observed, f"{name}: {change.found} was found, and observed is {observed}")
    demand(change.wanted in desired, f"{name}: {change.wanted} is wanted, and desired is {desired}")
    paths = [d["path"] for d in status.get("difference", [])]
    named = any(path.startswith(change.path) for path in paths)
    demand(named, f"{name}: {change.path} differs, and the difference names {paths}")


def plan_at_repair(drifts: Drifts, change: Change) -> list[dict]:
    """The plan that the Drift showed when its repair began. It may be a newer one than the first: a sweep that reads an
    API while somebody changes it sees half of the change, and the next one corrects that."""
    before = []
    for drift in drifts.of(change.api, change.rule):
        status = drift.get("status", {})
        if status.get("phase") == "Resolved":
            break
        before = status.get("plan") or before
        if status.get("phase") == "Repairing":
            break
    demand(before, f"{change.api}: no version of the Drift has a plan before its repair")
    return before


# What was recorded and told.


def transitions(change: Change) -> list[str]:
    return ["Detected", *(["Waiting"] if change.waits else []), "Resolved"]


def recorded(scene: Scene, change: Change, drift: dict, names: list[str]) -> None:
    """The bucket has a record of each transition, with the plan that the Drift shows."""
    uid = drift["metadata"]["uid"]
    keys = scene.aws.keys()
    for name in names:
        key = next((k for k in keys if k.endswith(f"/{uid}-{name.lower()}.jsonl.gz")), None)
        demand(key, f"{change.api}: S3 holds no record of {name}")
        partitions = f"audit/v1/account={ACCOUNT}/region={REGION}/year="
        demand(key.startswith(partitions), f"{key} does not begin with {partitions}")
        record = scene.aws.record(key)
        demand(record["id"] == f"{uid}/{name}", f"{key} is the record {record['id']}")
        if name == "Detected":
            plan = first_planned(scene.drifts, change)["status"]["plan"]
            demand(record["plan"] == plan, f"{key} has another plan than the Drift: {record['plan']}")
            demand(change.found in json.dumps(record["observed"]), f"{key} does not say what was observed")


def recorded_first(scene: Scene, change: Change, drift: dict) -> float:
    """S3 had answered that it holds the record before the first write of the repair arrived at AWS: so many seconds."""
    writes = scene.aws.writes(US, change.api)
    demand(writes, f"{change.api}: awsim has no write by Plumbline")
    first, uid = writes[0], drift["metadata"]["uid"]
    ahead = 0.0
    for name in transitions(change)[:-1]:
        stored = scene.witness.stored(BUCKET, f"/{uid}-{name.lower()}.jsonl.gz")
        demand(stored, f"{change.api}: nobody saw S3 take the record of {name}")
        ahead = (first["time"] - stored.time).total_seconds()
        demand(ahead > 0, f"{change.api}: {first['operation']} came {-ahead:.3f} s before the record of {name} was in S3")
    return ahead


def told(aws: Aws, drift: dict, names: list[str]) -> None:
    """Both topics' queues have heard each transition: JSON with attributes, and text."""
    uid, name = drift["metadata"]["uid"], drift["metadata"]["name"]
    wanted = {f"{uid}/{transition}" for transition in names}

    def look() -> tuple[bool, str]:
        machines = {document(m)["id"] for m in aws.letters("machines")}
        people = " ".join(text(m) for m in aws.letters("people"))
        missing = [f"JSON {i}" for i in sorted(wanted - machines)] + [f"text {i}" for i in sorted(wanted) if i not in people]
        return not missing, "missing: " + ", ".join(missing)

    until(f"{name}: people and machines were told {', '.join(names)}", look)
    for message in (m for m in aws.letters("machines") if document(m)["id"] in wanted):
        said = document(message)
        attributes = {k: v["StringValue"] for k, v in message.get("MessageAttributes", {}).items()}
        for attribute, value in {"id": said["id"], "rule": said["rule"], "transition": said["transition"]}.items():
            got = attributes.get(attribute)
            demand(got == value, f"{said['id']}: attribute {attribute} is {got!r}, not {value!r}")
        demand(said["drift"]["name"] == name, f"{said['id']} names the Drift {said['drift']['name']}")
    for message in (m for m in aws.letters("people") if uid in text(m)):
        letter = text(message)
        demand(not letter.startswith("{") and "\n" in letter, f"people got no text: {letter[:80]}")
        demand(f"kubectl describe drift {name}" in letter, "people are not told where to look")
        subject = envelope(message).get("Subject", "")
        demand(0 < len(subject) <= 100, f"a mail without a proper subject: {subject!r}")


def document(message: dict) -> dict:
    """What machines get."""
    return json.loads(message["Body"])


def envelope(message: dict) -> dict:
    """SNS's wrapper, of which mail shows the subject and the message."""
    return json.loads(message["Body"])


def text(message: dict) -> str:
    return envelope(message)["Message"]


# What was repaired.


def call_made(write: dict) -> dict:
    """A write as awsim got it, in the form of a planned call."""
    parameters = dict(write["record"]["requestParameters"])
    body = next((parameters.pop(k) for k in list(parameters) if k.endswith("Input")), {})
    operations = [{k: v for k, v in o.items() if v is not None} for o in body.get("patchOperations", [])]
    return {"operation": write["operation"], "parameters": parameters, "patchOperations": operations}


def exactly_the_plan(scene: Scene, change: Change) -> list[str]:
    """The calls that were made are those that were shown before, in their order, and no others: their names."""
    writes = scene.aws.writes(US, change.api)
    refused = [f"{w['operation']}: {w['error']}" for w in writes if w["error"]]
    demand(not refused, f"{change.api}: AWS refused {refused}")
    deployments = [w["record"]["responseElements"]["id"] for w in writes if w["operation"] == "CreateDeployment"]
    shown = json.dumps(plan_at_repair(scene.drifts, change))
    planned = json.loads(shown.replace(NEW_DEPLOYMENT, deployments[0] if deployments else NEW_DEPLOYMENT))
    planned = [{"patchOperations": [], **call} for call in planned]
    made = [call_made(w) for w in writes]
    demand(made == planned, f"{change.api}: planned {json.dumps(planned)}, made {json.dumps(made)}")
    return [call["operation"] for call in made]


def resolved(drift: dict, change: Change) -> None:
    """Repaired by Plumbline, with everything on the way there, and with its proof."""
    status = drift["status"]
    demand(status.get("resolution") == "Repaired", f"{change.api}: resolution {status.get('resolution')}, not Repaired")
    for kind in ("Recorded", "Notified", "Authorized", "Repaired", "Verified"):
        stands = condition(drift, kind)
        said = f"{stands.get('status')} {stands.get('reason')}: {stands.get('message')}"
        demand(stands.get("status") == "True", f"{change.api}: condition {kind} is {said}")
    demand(status.get("proof"), f"{change.api}: the Drift does not say how the repair is known to be live")


def attributed(scene: Scene, change: Change) -> None:
    """The Drift names whoever made the change, although the own repair wrote the same property since."""

    def look() -> tuple[bool, str]:
        drift = scene.drifts.of(change.api, change.rule)[-1]
        editor = drift["status"].get("actors", {}).get("editor", {}).get("name")
        return editor == "user/anna", f"{editor}; {condition(drift, 'Attributed')}"

    until(f"{change.api} {change.rule}: anna is named", look)


def as_before(aws: Aws, before: dict[str, dict], finished: str | None) -> None:
    """Every API is again what it was: the editor and what callers of each stage meet. Only the colleague's work is new."""
    for api, old in before.items():
        new = aws.state(api)
        for place in ("editor", *STAGES):
            was, now = definition(old, place), definition(new, place)
            added = now["resources"].pop(UNFINISHED, None)
            demand(bool(added) == (api == finished), f"{api}: {place} {'has' if added else 'lacks'} {UNFINISHED}")
            unlike = [key for key in was if was[key] != now.get(key)]
            demand(not unlike, f"{api}: {place} is not as before in {unlike}")
        for stage in STAGES:
            tracing = new["stages"][stage]["stage"]["tracingEnabled"]
            demand(tracing is True, f"{api}: tracing of stage {stage} is {tracing}")
            demand(not new["stages"][stage]["pending"], f"{api}: the editor holds what stage {stage} does not serve")


def definition(state: dict, place: str) -> dict:
    """What the editor holds or a stage serves; the caller may change it."""
    return copy.deepcopy(state["editor"] if place == "editor" else state["stages"][place]["snapshot"])


# What had to wait.


def waits_untouched(scene: Scene, change: Change, drift: dict) -> None:
    """It says why it waits and for what, nothing of the API was touched, and nobody meets the colleague's work."""
    status = drift["status"]
    reason = status.get("reason")
    demand(reason == "RedeployPending", f"{change.api} waits for {reason}, not for RedeployPending")
    edits = status.get("pendingEdits", [])
    demand(any(UNFINISHED in edit for edit in edits), f"{change.api}: the pending edits are {edits}, without {UNFINISHED}")
    untouched(scene.aws, change)
    say(f"it waits: {status['message']}")
    for edit in edits:
        say(f"  a deployment would publish {edit}")


def untouched(aws: Aws, change: Change) -> None:
    """Plumbline has written nothing to the API, and no stage serves the colleague's unfinished work."""
    writes = [w["operation"] for w in aws.writes(US, change.api)]
    demand(not writes, f"{change.api}: Plumbline made {writes} while it had to wait")
    state = aws.state(change.api)
    for stage in STAGES:
        served = state["stages"][stage]["snapshot"]["resources"]
        demand(UNFINISHED not in served, f"stage {stage} of {change.api} serves {UNFINISHED}")
    demand(UNFINISHED in state["editor"]["resources"], f"{change.api}: the colleague's {UNFINISHED} is lost")


def colleague_was_first(aws: Aws, change: Change) -> None:
    """The colleague's work went live by the colleague's own deployment, before any write of Plumbline's."""
    theirs = [w for w in aws.writes("ben", change.api) if w["operation"] == "CreateDeployment"]
    ours = aws.writes(US, change.api)
    demand(theirs and ours, f"{change.api}: {len(theirs)} deployments by the colleague, {len(ours)} writes by Plumbline")
    demand(theirs[0]["sequence"] < ours[0]["sequence"], f"{change.api}: Plumbline wrote before the colleague deployed")


def nothing_else(aws: Aws, changes: list[Change]) -> None:
    """Plumbline wrote to no API but the four."""
    known = {aws.ids()[c.api] for c in changes}
    others = [w for w in aws.writes(US) if w["ids"].get("restApiId") not in known]
    demand(not others, f"Plumbline wrote to others: {[(w['operation'], w['ids']) for w in others]}")


def one_drift_each(scene: Scene, changes: list[Change]) -> None:
    """As many Drifts as changes, none of them open, and twelve endpoints without any."""
    drifts = scene.kubernetes("get", "drifts", "--all-namespaces")["items"]
    names = [drift["metadata"]["name"] for drift in drifts]
    demand(len(drifts) == len(changes), f"{len(changes)} changes, and {len(drifts)} Drifts: {names}")
    endpoints = scene.kubernetes("get", "awsendpoints")["items"]
    demand(len(endpoints) == 12, f"12 APIs, and {len(endpoints)} AwsEndpoints")
    bad = [e["status"].get("name") for e in endpoints if condition(e, "Compliant").get("status") != "True"]
    demand(not bad, f"not compliant: {bad}")

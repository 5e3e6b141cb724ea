#!/usr/bin/env python3
"""The story of Plumbline, from drift to repair, on a real Kubernetes API.

Four changes are made to a fleet of APIs by somebody else; Plumbline finds, records, tells and repairs them. Each step
is held against what AWS (awsim and moto) and Kubernetes hold: 0 is the exit code only if all of it came out.

KEEP=1 leaves everything running at the end, until Ctrl-C.
"""

import os
import sys

sys.dont_write_bytecode = True  # a demo leaves no trace in the tree

import argparse  # noqa: E402
import pathlib  # noqa: E402
import threading  # noqa: E402
import traceback  # noqa: E402

import aws  # noqa: E402
import checks  # noqa: E402
import report  # noqa: E402
import story  # noqa: E402
from cluster import ROOT, Ended, Lab, LabError  # noqa: E402
from scene import Scene, condition  # noqa: E402
from telling import Shortfall, chapter, demand, elapsed, here, say, show  # noqa: E402


def told(scene: Scene) -> None:
    """The story. Every step is checked before the next begins."""
    chapter("1  Kubernetes and AWS")
    say("a real etcd and kube-apiserver, AWS API Gateway by awsim, S3, SNS, SQS and STS by moto")
    say("helm install plumbline charts/plumbline")
    scene.install()
    scene.run_controller()
    say("no node runs its pod here: the controller runs beside the cluster, with its ServiceAccount's token alone")

    chapter("2  A fleet of 12 APIs with 2 stages each, and a policy")
    scene.declare()
    scene.watch_drifts()
    scene.await_compliant()
    before = {api: scene.aws.state(api) for api in scene.aws.ids()}
    demand(len(before) == 12, f"awsim holds {len(before)} APIs")
    demand(not scene.drifts.look(), "there are Drifts before anything was changed")
    demand(not scene.aws.writes(checks.US), "Plumbline wrote to AWS before anything was changed")

    chapter("3  Anna makes four changes")
    changes = story.changes()
    began = story.now()
    for change in changes:
        change.make(scene.aws, change)
        change.live_since = story.now()
        say(f"{change.api}: {change.title}")

    chapter("4  Plumbline finds, records, tells and repairs")
    *free, waiting = changes
    for change in free:
        repaired(scene, change)
    drift = checks.await_drift(scene, waiting, "Waiting", reason="RedeployPending")
    checks.finding(scene.drifts, waiting)
    checks.waits_untouched(scene, waiting, drift)
    checks.recorded(scene, waiting, drift, ["Detected"])
    checks.told(scene.aws, drift, ["Detected", "Waiting"])
    checks.recorded(scene, waiting, drift, ["Detected", "Waiting"])
    checks.untouched(scene.aws, waiting)

    say("the colleague finishes and deploys")
    story.colleague_finishes(scene.aws, waiting)
    deployed = story.now()
    repaired(scene, waiting)
    checks.colleague_was_first(scene.aws, waiting)

    policy = scene.await_compliant()
    since = aws.parse_time(condition(policy, "Compliant")["lastTransitionTime"])
    demand(since >= began.replace(microsecond=0), "the policy never said that it was not compliant")
    checks.as_before(scene.aws, before, finished=waiting.api)
    checks.nothing_else(scene.aws, changes)
    checks.one_drift_each(scene, changes)
    demand(not scene.refused(), f"the chart's RBAC lacks {', '.join(scene.refused())}")
    say("every API serves what it served before, and the colleague's work is live by the colleague's own deployment")

    chapter("5  What is left of it")
    report.everything(scene, changes, deployed)


def repaired(scene: Scene, change: story.Change) -> None:
    """From the change to the proof that callers meet the repaired state, and everything that must have happened between."""
    drift = checks.await_drift(scene, change, "Resolved")
    checks.finding(scene.drifts, change)
    checks.resolved(drift, change)
    checks.attributed(scene, change)
    calls = checks.exactly_the_plan(scene, change)
    ahead = checks.recorded_first(scene, change, drift)
    say(f"  in S3 {ahead:.2f} s before the first write; exactly the planned calls: {', '.join(calls)}")
    checks.told(scene.aws, drift, checks.transitions(change))
    checks.recorded(scene, change, drift, checks.transitions(change))


def keep(scene: Scene) -> None:
    """Until Ctrl-C."""
    chapter("Everything goes on running, until Ctrl-C. To look around, in another shell:")
    settings = {"AWS_REGION": aws.REGION, "AWS_DEFAULT_REGION": aws.REGION}
    settings |= {"AWS_ACCESS_KEY_ID": aws.access_key("anna"), "AWS_SECRET_ACCESS_KEY": "any"}
    endpoints = {"AWS_ENDPOINT_URL": scene.aws.moto, "AWS_ENDPOINT_URL_API_GATEWAY": scene.aws.awsim}
    show(
        "\n".join(
            [
                scene.exports,
                *(f'export {name}="{value}"' for name, value in (settings | endpoints).items()),
                "",
                "kubectl get endpointpolicies,awsendpoints,drifts -A",
                "kubectl describe drifts -n payments",
                f"curl -s {scene.aws.awsim}/_awsim/calls",
                f"aws s3 ls --recursive s3://{aws.BUCKET}    # any AWS client, as nothing checks the credentials",
                f"tail -f {scene.controller.log}",
            ]
        )
    )
    threading.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    parser.add_argument("--binaries", type=pathlib.Path, default=folder, help="where plumbline and awsim are (%(default)s)")
    binaries = parser.parse_args().binaries.absolute()
    if missing := [name for name in ("plumbline", "awsim") if not (binaries / name).exists()]:
        print(f"{binaries} has no {' and no '.join(missing)}: use `make demo`, which builds them", file=sys.stderr)
        return 1

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # whatever account the machine can reach, the story never does
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    os.environ["MOTO_ACCOUNT_ID"] = aws.ACCOUNT  # moto answers as this account
    try:
        with Lab(moto=True) as lab:
            for name in ("NO_PROXY", "no_proxy"):
                os.environ[name] = lab.environment[name]
            with Scene(lab, binaries) as scene:
                return tell(scene)
    except (LabError, Shortfall) as error:
        print(f"\nIt could not begin: {error}", file=sys.stderr)
        return 1


def tell(scene: Scene) -> int:
    """The story, and what is said at its end."""
    keeps = os.environ.get("KEEP", "0") not in ("", "0")
    code = 1
    try:
        told(scene)
        code = 0
        print(f"\nAll of it was checked, in {elapsed():.0f} s.", flush=True)
    except Exception as error:  # whatever it is, it must be seen together with the controller's log
        if not isinstance(error, (Shortfall, LabError)):
            show(traceback.format_exc())
        print(f"\nIT FELL SHORT in step {here()}:\n{type(error).__name__}: {error}", flush=True)
        if refused := scene.refused():
            print(f"\nThe chart's RBAC lacks {', '.join(refused)}", flush=True)
        if scene.controller:
            print("\nThe end of the controller's log:", flush=True)
            show(scene.controller.tail(40))
    if keeps:
        try:
            keep(scene)
        except Ended:
            print(flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())

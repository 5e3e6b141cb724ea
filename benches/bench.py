#!/usr/bin/env python3
"""Measures Plumbline over a fleet of REST APIs: `plumbline check`, sweeps of the controller, the stream of events, and the
simulator itself.

Whole processes of a release build, by the operating system's own accounting, several runs after one to warm up: the
median, and between which values all of them were.
"""

import os
import sys

sys.dont_write_bytecode = True  # a measurement leaves no trace in the tree

import argparse  # noqa: E402
import contextlib  # noqa: E402
import dataclasses  # noqa: E402
import pathlib  # noqa: E402
import tempfile  # noqa: E402

import aws  # noqa: E402
import meter  # noqa: E402
import stream  # noqa: E402
from cluster import ROOT, Lab, LabError, Watchdog  # noqa: E402
from sweeps import Controllers  # noqa: E402

MANY = 10_000
PEER = """\
For scale, measured elsewhere on such a fleet: Cloud Custodian 0.9.53 answers its questions on stages with 1.9 to 2.2 s
of CPU time, 80 MB and 1,007 calls, and never looks at methods or at what is live."""


class Wrong(Exception):
    """What was measured did not do what it had to."""


@dataclasses.dataclass
class Served:
    """What awsim answered, and the CPU time that it took."""

    requests: int = 0
    cpu: float = 0.0


def check(awsim: aws.Awsim, sts: aws.Sts, words: argparse.Namespace, folder: pathlib.Path, policy: str) -> Served:
    """`plumbline check` with the policies of a file."""
    command = [words.binaries / "plumbline", "check", "--budget", "none", "-f", ROOT / policy]
    meter.title(f"plumbline check -f {policy} ({words.runs} runs)")
    costs, served, calls = [], Served(), {}
    for number in range(words.runs + 1):
        awsim.forget()
        asked, used = sts.asked, awsim.live.cpu()
        ran = meter.run(command, folder, aws.environment(awsim, sts))
        used = awsim.live.cpu() - used
        if ran.code != 0:
            raise Wrong(f"check ended with {ran.code} and said: {ran.out}{ran.err}")
        calls = awsim.by_operation()
        if number:  # the first one warms up
            costs.append(ran.cost)
            served.requests += sum(calls.values())
            served.cpu += used
        calls |= {"GetCallerIdentity": sts.asked - asked}
    meter.table(costs)
    meter.counts("AWS", calls)
    meter.line("it said", ran.out.splitlines()[-1])
    return served


def sweeps(awsim: aws.Awsim, sts: aws.Sts, words: argparse.Namespace) -> None:
    """The controller, beside a Kubernetes API with nothing else to do."""
    first, again = [], []
    with Lab(crds=ROOT / "crds") as lab:
        environment = lab.environment | aws.environment(awsim, sts) | {"PATH": os.environ["PATH"]}
        controllers = Controllers(lab, words.binaries / "plumbline", awsim, environment, words.apis)
        for number in range(words.rounds):
            meter.progress(f"controller {number + 1} of {words.rounds}")
            once, then = controllers.round(steady=words.rounds)
            first.append(once)
            again += then
    for title, found in (
        (f"plumbline run: from its start until all is judged ({len(first)} runs)", first),
        (f"plumbline run: one sweep in which nothing is new ({len(again)} runs)", again),
    ):
        meter.title(title)
        meter.table([sweep.cost for sweep in found])
        meter.counts("AWS", found[-1].calls)
        meter.counts("Kubernetes", found[-1].writes, "writes")


def simulator(served: list[Served], words: argparse.Namespace, folder: pathlib.Path, watchdog: Watchdog) -> None:
    """awsim: how fast it answered in what was measured above, and what many APIs take."""
    meter.title("awsim itself")
    requests, cpu = sum(s.requests for s in served), sum(s.cpu for s in served)
    meter.line("served", f"{requests / cpu:,.0f}/s", f"{requests:,} requests with {cpu:.1f} s of CPU time, over HTTP")
    meter.progress(f"awsim with {MANY:,} APIs")
    with contextlib.closing(aws.Awsim(words.binaries / "awsim", folder, watchdog, MANY)) as many:
        meter.line("memory", f"{many.live.peak():,.0f} MB", f"{MANY:,} APIs with {shape()}")


def shape() -> str:
    return f"{len(aws.STAGES)} stages and {aws.METHODS} methods each"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    built = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    parser.add_argument("--binaries", type=pathlib.Path, default=built, help="where plumbline and awsim are (%(default)s)")
    parser.add_argument("--apis", type=int, default=500, help="how many (%(default)s)")
    parser.add_argument("--runs", type=int, default=10, help="of each check (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of the controller; 0 needs no Kubernetes (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="that changes are made for the stream; 0 without it (%(default)s)")
    parser.add_argument("--rate", type=float, default=50, help="changes a second (%(default)s)")
    parser.add_argument("--only", choices=["stream"], help="that part alone")
    parser.add_argument("--load", type=lambda text: slice(int(text) - 1, int(text)), default=slice(None), help="of the stream, one alone: 1 to 5")
    words = parser.parse_args()
    if words.rate * words.seconds > words.apis:
        parser.error(f"{words.rate:g} changes a second for {words.seconds:g} s need so many APIs: --apis")
    words.binaries = words.binaries.absolute()
    if missing := [name for name in ("plumbline", "awsim") if not (words.binaries / name).exists()]:
        print(f"{words.binaries} has no {' and no '.join(missing)}: use `make bench`, which builds them", file=sys.stderr)
        return 1
    try:
        measure(words)
    except (LabError, Wrong) as error:
        print(f"\nIt fell short: {error}", file=sys.stderr)
        return 1
    return 0


def measure(words: argparse.Namespace) -> None:
    with contextlib.ExitStack() as closing:
        folder = pathlib.Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="plumbline-bench-")))
        if words.only == "stream":
            return stream.measure(words, folder)
        watchdog = closing.enter_context(contextlib.closing(Watchdog()))
        sts = closing.enter_context(contextlib.closing(aws.Sts()))
        awsim = closing.enter_context(contextlib.closing(aws.Awsim(words.binaries / "awsim", folder, watchdog, words.apis)))
        print(f"{words.apis} REST APIs with {shape()}, each stage with a deployment of its own, all compliant.")
        print("AWS is awsim without its quotas, and nothing waits for a request budget: AWS grants 10 requests a second.")
        policies = ("demo/policy.yaml", "docs/examples/observable-stages.yaml")
        served = [check(awsim, sts, words, folder, policy) for policy in policies]
        print(f"\n{PEER}")
        if words.rounds:
            sweeps(awsim, sts, words)
        if words.seconds:
            stream.measure(words, folder)
        simulator(served, words, folder, watchdog)


if __name__ == "__main__":
    sys.exit(main())

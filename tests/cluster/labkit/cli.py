"""The command line: `run`, `up`, `build`."""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
from typing import NoReturn

from . import binaries, moto, plane
from .errors import LabError
from .lab import Ended, Lab, end_on_signals
from .processes import die_with
from .progress import say


def parse(arguments: list[str]) -> argparse.Namespace:
    """Arguments into a namespace; everything after `--` is the command."""
    own, command = arguments, []
    if "--" in arguments:
        cut = arguments.index("--")
        own, command = arguments[:cut], arguments[cut + 1 :]
    parser = argparse.ArgumentParser(prog="lab.py", description="Real Kubernetes for the tests, on loopback, without root.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, text in (("run", "run a command in a lab: lab.py run ... -- COMMAND..."), ("up", "keep a lab until interrupted")):
        sub = verbs.add_parser(verb, help=text)
        sub.add_argument("--with", dest="extras", default="", metavar="NAME,...", help=f"also start: {', '.join(plane.EXTRAS)}")
        sub.add_argument("--moto", action="store_true", help="also start moto")
        sub.add_argument("--crds", metavar="PATH", help="install these definitions before the controllers start")
        sub.add_argument("--keep", action="store_true", help="keep the folder with logs and data")
    build = verbs.add_parser("build", help="build tools into the cache and print where they are")
    build.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(binaries.TOOLS)}, moto (default: all of them)")
    parsed = parser.parse_args(own)
    if parsed.verb == "run" and not command:
        parser.error("run needs a command: lab.py run -- COMMAND...")
    if parsed.verb != "run" and command:
        parser.error(f"{parsed.verb} takes no command")
    parsed.command = command
    return parsed


def main(arguments: list[str]) -> int:
    """Run one verb; the exit code."""
    options = parse(arguments)
    end_on_signals()
    try:
        if options.verb == "build":
            return build(options.names)
        extras = plane.check_extras([name for name in options.extras.split(",") if name])
        lab = Lab(
            controller_manager="controller-manager" in extras,
            scheduler="scheduler" in extras,
            moto=options.moto,
            crds=options.crds,
            keep=options.keep,
        )
        with lab:
            say(f"ready after {lab.ready_seconds:.1f} s")
            return run(lab, options.command) if options.verb == "run" else up(lab)
    except LabError as error:
        say(str(error))
        return 1


def build(names: list[str]) -> int:
    """Build and print paths, one a line."""
    names = names or [*binaries.TOOLS, "moto"]
    for path in binaries.provide([name for name in names if name != "moto"]).values():
        print(path)
    if "moto" in names:
        print(moto.provide())
    return 0


def run(lab: Lab, command: list[str]) -> int:
    """Run a command inside; its exit code, or 128 + n if signal n ended it."""
    # At a terminal the command shares our group, so that Ctrl-C and job control work as if there were no lab around it.
    # Elsewhere it gets its own, which the watchdog can end as a whole.
    own_group = not sys.stdin.isatty()
    try:
        child = subprocess.Popen(
            command,
            env=os.environ | lab.environment,
            process_group=0 if own_group else None,
            preexec_fn=die_with(os.getpid(), signal.SIGTERM),
        )
    except OSError as error:
        raise LabError(f"cannot run {shlex.join(command)}: {error.strerror}") from None
    if own_group:
        lab.watchdog.tell("group", child.pid)
    try:
        code = child.wait()
    except Ended as ended:
        end(child, ended.number, own_group)
        raise
    if own_group:
        end_group(child.pid, signal.SIGTERM)  # what the command left running in its group ends with it
        lab.watchdog.tell("gone", child.pid)
    return code if code >= 0 else 128 - code


def end(child: subprocess.Popen, number: int, own_group: bool) -> None:
    """Pass the signal on, wait, insist."""
    if own_group:
        end_group(child.pid, number)
    elif number != signal.SIGINT:  # Ctrl-C has already reached it
        child.send_signal(number)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        say("the command does not end, killing it")
        child.kill()
        child.wait()
    if own_group:
        end_group(child.pid, signal.SIGKILL)


def end_group(group: int, number: int) -> None:
    """Signal what is left of a group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def up(lab: Lab) -> NoReturn:
    """Say how to look around, and wait for an interrupt."""
    shown = {name: value for name, value in lab.environment.items() if name not in ("NO_PROXY", "no_proxy", "PATH")}
    script = lab.folder / "env"
    lines = [f"export {name}={shlex.quote(value)}" for name, value in shown.items()]
    lines.append(f'export PATH={shlex.quote(str(lab.bin))}:"$PATH"')
    script.write_text("\n".join(lines) + "\n")
    print(f"\nIn another terminal:\n\n  . {script}\n  kubectl get namespaces\n  curl -X POST $PLUMBLINE_CLUSTER_CONTROL/restart-apiserver\n")
    print("It holds:\n\n  " + "\n  ".join(lines) + "\n\nCtrl-C ends the lab and deletes it.", flush=True)
    while True:
        signal.pause()  # a signal ends it: see `end_on_signals`


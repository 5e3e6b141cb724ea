"""Tidies up after a lab that was killed with SIGKILL and could not do it itself.

Run as a program of its own. Its standard input is a pipe of which the lab alone holds the other end: the lines say what
there is to tidy up, and the end of the stream says that the lab is gone.

    group 1234      a process group that must not outlive the lab
    gone 1234       that group has ended
    folder /tmp/x   a folder to delete
    kept /tmp/x     that folder stays
"""

import os
import shutil
import signal
import sys
import time


def signal_group(group: int, number: int) -> bool:
    """Send a signal; False if nobody is left to receive it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def watch(stream) -> tuple[set[int], set[str]]:
    """Read until the lab is gone, and say what it left."""
    groups: set[int] = set()
    folders: set[str] = set()
    for line in stream:
        verb, _, what = line.rstrip("\n").partition(" ")
        if verb == "group":
            groups.add(int(what))
        elif verb == "gone":
            groups.discard(int(what))
        elif verb == "folder":
            folders.add(what)
        elif verb == "kept":
            folders.discard(what)
    return groups, folders


def tidy(groups: set[int], folders: set[str], grace: float = 2.0) -> None:
    """Ask the groups to end, wait a moment, insist; then delete the folders."""
    left = {group for group in groups if signal_group(group, signal.SIGTERM)}
    deadline = time.monotonic() + grace
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {group for group in left if signal_group(group, 0)}
    for group in left:
        signal_group(group, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # whoever signals the lab's whole family must not hit this one
    tidy(*watch(sys.stdin))

"""What a person sees while waiting: one line a step, with a heartbeat."""

import contextlib
import sys
import threading
import time


def say(text: str) -> None:
    """One line, on stderr: stdout belongs to the command that the lab runs."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(text: str, stream=None):
    """Announce a step and say how long it took. On a terminal the seconds tick; in a log a line comes each half minute."""
    out = stream or sys.stderr
    terminal = out.isatty()
    started = time.monotonic()
    over = threading.Event()

    def elapsed() -> str:
        return f"{time.monotonic() - started:.1f} s"

    def write(line: str) -> None:
        out.write(line)
        out.flush()

    def beat() -> None:
        while not over.wait(1 if terminal else 30):
            write(f"\rlab: {text} ... {elapsed()}" if terminal else f"lab: still {text}, {elapsed()}\n")

    write(f"lab: {text} ..." + ("" if terminal else "\n"))
    ticker = threading.Thread(target=beat, daemon=True)
    ticker.start()
    outcome = "FAILED after"
    try:
        yield
        outcome = "done in"
    finally:
        over.set()
        ticker.join()
        write(f"\rlab: {text} ... {outcome} {elapsed()}\n")

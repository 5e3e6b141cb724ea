"""What a person reads while the story runs, and waiting that says what it waits for."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL = 0.2  # seconds between two looks
BEAT = 2.0  # no wait is silent for longer
PATIENCE = 120.0  # seconds after which a step is said to have failed: many times what it takes

_began = time.monotonic()
_chapter = ""


class Shortfall(Exception):
    """A step of the story that did not come out as it must."""


def elapsed() -> float:
    """Seconds since the story began."""
    return time.monotonic() - _began


def chapter(title: str) -> None:
    global _chapter
    _chapter = title
    print(f"\n{title}", flush=True)


def here() -> str:
    """The chapter that is being told."""
    return _chapter


def say(text: str) -> None:
    """One line with the time of the story."""
    print(f"  {elapsed():5.1f} s  {text}", flush=True)


def show(text: str) -> None:
    """What some program printed, set off from the story."""
    print("\n".join(f"    {line}" for line in text.rstrip().splitlines()), flush=True)


def demand(holds: object, otherwise: str) -> None:
    """A check; what fell short is told in the words given."""
    if not holds:
        raise Shortfall(otherwise)


def until(what: str, look: Callable[[], tuple[T, str]]) -> T:
    """Look again and again until there is something, and say every two seconds what was seen instead.

    `look` answers with what was waited for (or nothing) and with what is to be seen now.
    """
    began = told = time.monotonic()
    before = None
    while True:
        found, seen = look()
        now = time.monotonic()
        if found:
            say(f"{what} (after {now - began:.1f} s)")
            return found
        if now - began > PATIENCE:
            raise Shortfall(f"waited {PATIENCE:.0f} s, and not yet: {what}. Seen: {seen}")
        if now - told >= BEAT:
            say("... the same still" if seen == before else f"... not yet: {what}. Seen: {seen}")
            told, before = now, seen
        time.sleep(POLL)

"""moto's server, with queues that do one thing at a time.

moto answers each request in a thread of its own, and its queues take no lock on their messages. With several who take and delete at
once, one message is handed to two of them, another goes to the dead-letter queue while somebody has it in hand, and one that was
deleted or sent is lost or stands there again, as two lists of what is left overwrite each other. SQS does none of that to a queue
whose messages are dealt with in time.
"""

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.server import main
from moto.sqs import models
from moto.sqs.models import Message, SQSBackend

ALONE = threading.RLock()
CHANGES = ("send_message", "delete_message", "change_message_visibility", "purge_queue", "get_queue_attributes")


def alone(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with ALONE:
            return method(*args, **kwargs)

    return locked


def clock() -> float:
    return time.time() * 1000


# For each message that comes or goes a queue looks at all of its messages, each with a look at the clock.
models.unix_time_millis = clock

for name in CHANGES:
    setattr(SQSBackend, name, alone(getattr(SQSBackend, name)))

take = alone(SQSBackend.receive_message)


def receive_message(
    self: SQSBackend, queue_name: str, count: int, wait: int, hidden: int, attributes: list[str] | None = None
) -> list[Message]:
    """As moto's; nobody is kept from the queue while this waits."""
    end = time.monotonic() + wait
    while True:
        taken = take(self, queue_name, count, 0, hidden, attributes)
        if taken or time.monotonic() >= end:
            return taken
        self.get_queue(queue_name).wait_for_messages(1)


SQSBackend.receive_message = receive_message  # type: ignore[method-assign]

if __name__ == "__main__":
    main()

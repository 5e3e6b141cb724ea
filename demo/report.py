"""What is printed when the story is over."""

import datetime

import checks
from aws import BUCKET
from scene import Scene
from story import Change
from telling import say, show


def everything(scene: Scene, changes: list[Change], deployed: datetime.datetime) -> None:
    """The timeline, the objects, the records and one notification."""
    say("the timeline, each from the moment when callers met the change")
    show(timeline(scene, changes, deployed))
    print()
    kinds = ["get", "endpointpolicies,awsendpoints,drifts", "-A"]
    say("kubectl " + " ".join(kinds))
    show(scene.lab.kubectl(*kinds).stdout)
    print()
    say(f"the records in s3://{BUCKET}")
    show("\n".join(scene.aws.keys()))
    print()
    waiting = changes[-1]
    uid = scene.drifts.of(waiting.api, waiting.rule)[-1]["metadata"]["uid"]
    letter = next(m for m in scene.aws.letters("people") if f"{uid}/Waiting" in checks.text(m))
    say("one of the notifications, as people get it")
    show(f"Subject: {checks.envelope(letter)['Subject']}\n\n{checks.text(letter)}")


def timeline(scene: Scene, changes: list[Change], deployed: datetime.datetime) -> str:
    """One row a drift: seconds until it was in S3, until people were told, until AWS was repaired, until that was proven."""
    columns = ["", "recorded", "told", "repair", "repaired", "proven", "calls"]
    rows = [columns]
    for change in changes:
        drift = scene.drifts.of(change.api, change.rule)[-1]
        uid = drift["metadata"]["uid"]
        writes = scene.aws.writes(checks.US, change.api)
        times = [
            scene.witness.stored(BUCKET, f"/{uid}-detected.jsonl.gz").time,
            sent(scene, f"{uid}/Detected"),
            writes[0]["time"],
            writes[-1]["time"],
            scene.witness.stored(BUCKET, f"/{uid}-resolved.jsonl.gz").time,
        ]
        seconds = [f"{(time - change.live_since).total_seconds():.1f} s" for time in times]
        rows.append([f"{change.api}  {change.rule}", *seconds, " ".join(w["operation"] for w in writes)])
    widths = [max(len(row[at]) for row in rows) for at in range(len(columns) - 1)]
    table = [
        "  ".join([first.ljust(widths[0]), *map(str.rjust, times, widths[1:]), last])
        for first, *times, last in rows
    ]
    wait = (deployed - changes[-1].live_since).total_seconds()
    return "\n".join([*table, f"(the last one waited for a colleague, who deployed after {wait:.1f} s)"])


def sent(scene: Scene, message: str) -> datetime.datetime:
    """When the queue of the machines' topic got a message."""
    letters = scene.aws.letters("machines")
    stamp = next(m["Attributes"]["SentTimestamp"] for m in letters if checks.document(m)["id"] == message)
    return datetime.datetime.fromtimestamp(int(stamp) / 1000, datetime.UTC)

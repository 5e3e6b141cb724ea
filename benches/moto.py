"""What of moto the bench needs: two queues, a bucket and topics, by plain requests."""

import json
import time

from aws import REGION, ask, signed

BUCKET = "bench-audit"


def queue(moto: str, name: str) -> str:
    """A new queue; its URL."""
    return _sqs(moto, "CreateQueue", QueueName=name)["QueueUrl"]


def topic(moto: str, name: str) -> str:
    """A new topic with nobody who listens; its ARN."""
    body = f"Action=CreateTopic&Version=2010-03-31&Name={name}"
    headers = {"Authorization": signed("sns", "admin"), "Content-Type": "application/x-www-form-urlencoded"}
    return ask(moto, "POST", body, **headers).decode().partition("<TopicArn>")[2].partition("<")[0]


def bucket(moto: str) -> None:
    """For the audit records."""
    where = f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    headers = {"Authorization": signed("s3", "admin"), "Content-Type": "application/xml"}
    ask(f"{moto}/{BUCKET}", "PUT", where, **headers)


def arrivals(moto: str, url: str) -> list[tuple[float, dict]]:
    """Empties a queue: when moto took each message, in seconds of the epoch, and what is in it."""
    found = []
    while True:
        wanted = {"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0, "AttributeNames": ["SentTimestamp"]}
        if not (messages := _sqs(moto, "ReceiveMessage", **wanted).get("Messages")):
            return found
        for message in messages:
            found.append((int(message["Attributes"]["SentTimestamp"]) / 1000, json.loads(message["Body"])["detail"]))
        gone = [{"Id": str(at), "ReceiptHandle": m["ReceiptHandle"]} for at, m in enumerate(messages)]
        _sqs(moto, "DeleteMessageBatch", QueueUrl=url, Entries=gone)


def depth(moto: str, url: str) -> int:
    """So many messages lie in a queue, taken ones among them."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = _sqs(moto, "GetQueueAttributes", QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def offset() -> float:
    """What the monotonic clock lacks of the epoch's."""
    return time.time() - time.monotonic()


def _sqs(moto: str, operation: str, **parameters: object) -> dict:
    headers = {"Authorization": signed("sqs", "admin"), "Content-Type": "application/x-amz-json-1.0"}
    headers |= {"X-Amz-Target": f"AmazonSQS.{operation}"}
    return json.loads(ask(moto, "POST", json.dumps(parameters), **headers) or b"{}")

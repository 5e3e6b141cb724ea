"""AWS as the story sees it: API Gateway in awsim, everything else in moto, and who calls them."""

import datetime
import gzip
import json
import pathlib
import sys
import urllib.request

ACCOUNT = "111122223333"
REGION = "eu-west-1"
BUCKET = "acme-plumbline-audit"
TOPICS = {"people": "plumbline-people", "machines": "plumbline-machines"}


def access_key(name: str) -> str:
    """awsim reads the caller's name out of the access key."""
    return f"AKIA{ACCOUNT}{name.upper()}"


def import_boto3(python: pathlib.Path) -> None:
    """boto3 comes from the virtual environment in which the lab runs moto; it is of the same Python."""
    library = next(python.parent.parent.glob("lib/python3*/site-packages"))
    sys.path.append(str(library))


class Aws:
    """Clients for anybody, and what awsim and moto hold."""

    def __init__(self, awsim: str, moto: str) -> None:
        self.awsim, self.moto = awsim, moto
        self.queues: dict[str, str] = {}
        self._letters: dict[str, list[dict]] = {"people": [], "machines": []}
        self._ids: dict[str, str] = {}

    def client(self, service: str, who: str = "admin"):
        import boto3

        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.awsim if service == "apigateway" else self.moto,
            aws_access_key_id=access_key(who),
            aws_secret_access_key="not checked here",
        )

    def furnish(self) -> None:
        """The audit bucket, the two topics, and a queue that hears each."""
        self.s3, sns, self.sqs = self.client("s3"), self.client("sns"), self.client("sqs")
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for kind, name in TOPICS.items():
            topic = sns.create_topic(Name=name)["TopicArn"]
            url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
            queue = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            # Machines read the document and its attributes as they are, people's mail has a subject.
            raw = {"RawMessageDelivery": "true"} if kind == "machines" else {}
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=raw)
            self.queues[kind] = url

    def user(self, name: str) -> dict[str, str]:
        """Credentials of a new IAM user. Whoever asks moto's STS is told the same of them: awsim, and the user itself."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    # What API Gateway holds.

    def _control(self, path: str):
        with urllib.request.urlopen(f"{self.awsim}/_awsim/{path}", timeout=10) as answer:
            return json.load(answer)

    def ids(self) -> dict[str, str]:
        """The APIs' ids by their names."""
        if not self._ids:
            apis = self.client("apigateway").get_rest_apis(limit=500)["items"]
            self._ids = {api["name"]: api["id"] for api in apis}
        return self._ids

    def state(self, api: str) -> dict:
        """The editor and what each stage serves."""
        return self._control(f"state/{ACCOUNT}/{REGION}/restapis/{self.ids()[api]}")

    def writes(self, who: str, api: str | None = None) -> list[dict]:
        """The calls of somebody that changed something, in order, each with its time and its CloudTrail record."""
        calls = [c for c in self._control("calls")["calls"] if not c["readOnly"]]
        records = [r for r in self._control("trail")["Records"] if not r["readOnly"]]
        if len(calls) > len(records):
            raise RuntimeError(f"awsim tells of {len(calls)} writing calls and of {len(records)} records")
        mine = f"arn:aws:iam::{ACCOUNT}:user/{who}"
        return [
            call | {"record": record, "time": parse_time(call["time"])}
            for call, record in zip(calls, records, strict=False)  # records were asked for later: there may be more
            if call["principal"] == mine and (api is None or call["ids"].get("restApiId") == self.ids()[api])
        ]

    # What left the cluster.

    def keys(self) -> list[str]:
        """The keys of the audit bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def record(self, key: str) -> dict:
        """An audit record."""
        body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        (line,) = gzip.decompress(body).decode().splitlines()
        return json.loads(line)

    def letters(self, kind: str) -> list[dict]:
        """Everything that a topic's queue has heard so far, oldest first."""
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=self.queues[kind],
                MaxNumberOfMessages=10,
                WaitTimeSeconds=0,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            if not (messages := answer.get("Messages")):
                return self._letters[kind]
            for message in messages:
                self._letters[kind].append(message)
                self.sqs.delete_message(QueueUrl=self.queues[kind], ReceiptHandle=message["ReceiptHandle"])


def parse_time(text: str) -> datetime.datetime:
    """A time in UTC; awsim gives nanoseconds, Python keeps microseconds."""
    head, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.datetime.fromisoformat(head).replace(tzinfo=datetime.UTC)
    return whole + datetime.timedelta(microseconds=int(fraction[:6].ljust(6, "0")))

"""The stacks of `deploy/aws`, deployed into a moto."""

import json
import pathlib
from typing import Any

from . import moto, template

# What a stack needs to be told, for whoever does not care.
GIVEN = {"plumbline": {"ExternalId": "plumbline-lab", "ControllerArn": "arn:aws:iam::{account}:role/pod"}}


def clients(endpoint: str, account: str, region: str):
    """boto3 clients of an account and region, by their service's name."""
    moto.libraries()
    import boto3

    def client(service: str, **keys: str):
        more = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"} | keys
        return boto3.client(service, region_name=region, endpoint_url=endpoint, **more)

    # moto tells accounts apart by whose keys a call has.
    assumed = client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/installer", RoleSessionName="installer")["Credentials"]
    keys = {
        "aws_access_key_id": assumed["AccessKeyId"],
        "aws_secret_access_key": assumed["SecretAccessKey"],
        "aws_session_token": assumed["SessionToken"],
    }
    return lambda service: client(service, **keys)


def deploy(
    endpoint: str,
    account: str,
    region: str,
    name: str = "plumbline",
    parameters: dict[str, str] | None = None,
    which: str = "plumbline",
) -> dict[str, str]:
    """Deploys `deploy/aws/<which>.yaml` and returns the stack's outputs.

    moto's CloudFormation makes queues, topics, rules, roles and bare buckets. The rest of what the template says, it
    leaves out: that is made by the services' own calls, from the same text.
    """
    path: pathlib.Path = template.FOLDER / f"{which}.yaml"
    given = {key: value.format(account=account) for key, value in GIVEN.get(which, {}).items()}
    if "OidcProvider" in (parameters or {}):
        given.pop("ControllerArn", None)
    given |= parameters or {}
    text = template.load(path)
    if wrong := template.Worked(text, name, account, region, given).broken():
        raise ValueError(" ".join(wrong))

    aws = clients(endpoint, account, region)
    cloudformation = aws("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=path.read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise ValueError(f"stack {name} is {stack['StackStatus']}: {stack.get('StackStatusReason')}")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    generated = {"AuditBucket": outputs["AuditBucketName"]} if "AuditBucketName" in outputs else {}
    worked = template.Worked(text, name, account, region, given, generated)
    for kind, complete in LEFT_OUT.items():
        for properties in worked.of_type(kind).values():
            complete(aws, properties)
    for logical, properties in worked.of_type("AWS::S3::Bucket").items():
        _bucket(aws("s3"), worked.work({"Ref": logical}), properties)
    return outputs


def _queue_policy(aws: Any, properties: dict[str, Any]) -> None:
    for url in properties["Queues"]:
        aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(properties["PolicyDocument"])})


def _topic_policy(aws: Any, properties: dict[str, Any]) -> None:
    for arn in properties["Topics"]:
        policy = json.dumps(properties["PolicyDocument"])
        aws("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)


def _subscription(aws: Any, properties: dict[str, Any]) -> None:
    raw = {"RawMessageDelivery": "true"} if properties.get("RawMessageDelivery") else {}
    aws("sns").subscribe(TopicArn=properties["TopicArn"], Protocol=properties["Protocol"], Endpoint=properties["Endpoint"], Attributes=raw)


def _trail(aws: Any, properties: dict[str, Any]) -> None:
    cloudtrail, name = aws("cloudtrail"), properties["TrailName"]
    cloudtrail.create_trail(
        Name=name,
        S3BucketName=properties["S3BucketName"],
        IsMultiRegionTrail=properties["IsMultiRegionTrail"],
        IncludeGlobalServiceEvents=properties["IncludeGlobalServiceEvents"],
        EnableLogFileValidation=properties["EnableLogFileValidation"],
    )
    cloudtrail.put_event_selectors(TrailName=name, EventSelectors=properties["EventSelectors"])
    if properties["IsLogging"]:
        cloudtrail.start_logging(Name=name)


# Not the bucket policies: moto asks them without reading their conditions, and a statement that refuses clear text refuses everything.
LEFT_OUT = {
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SNS::Subscription": _subscription,
    "AWS::CloudTrail::Trail": _trail,
}


def _bucket(s3: Any, bucket: str, properties: dict[str, Any]) -> None:
    """Everything of a bucket but its name and encryption."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"])
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=properties["PublicAccessBlockConfiguration"])
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=properties["OwnershipControls"])
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=_lifecycle(properties["LifecycleConfiguration"]))
    if lock := properties.get("ObjectLockConfiguration"):
        retention = lock["Rule"]["DefaultRetention"]
        lock = lock | {"Rule": {"DefaultRetention": retention | {"Days": int(retention["Days"])}}}
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    if notification := properties.get("NotificationConfiguration"):
        queues = [
            {
                "QueueArn": one["Queue"],
                "Events": [one["Event"]],
                "Filter": {"Key": {"FilterRules": one["Filter"]["S3Key"]["Rules"]}},
            }
            for one in notification["QueueConfigurations"]
        ]
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": queues})


def _lifecycle(configuration: dict[str, Any]) -> dict[str, Any]:
    """As S3's own call has it, which differs from CloudFormation's words."""
    rules = []
    for one in configuration["Rules"]:
        rule = {"ID": one["Id"], "Status": one["Status"], "Filter": {"Prefix": one.get("Prefix", "")}}
        for key in ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"):
            if key in one:
                rule[key] = one[key]
        if "ExpirationInDays" in one:
            rule["Expiration"] = {"Days": int(one["ExpirationInDays"])}
        if "Transitions" in one:
            rule["Transitions"] = [
                {"StorageClass": move["StorageClass"], "Days": int(move["TransitionInDays"])} for move in one["Transitions"]
            ]
        rules.append(rule)
    return {"Rules": rules}

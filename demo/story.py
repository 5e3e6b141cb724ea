"""What people do in the story, each through the AWS API."""

import dataclasses
import datetime
import json
from collections.abc import Callable

from aws import Aws

BACKEND = "https://payments.internal.example.com"
STAGES = ["prod", "staging"]
UNFINISHED = "/refunds"


@dataclasses.dataclass
class Change:
    """One change that violates the policy, and what Plumbline must make of it."""

    title: str
    api: str
    rule: str
    resource: str
    stages: list[str]
    path: str
    found: str  # stands in what was observed
    wanted: str  # stands in what is desired
    make: Callable[[Aws, "Change"], None]
    waits: bool = False  # the repair must wait for a colleague
    live_since: datetime.datetime | None = None  # set when callers meet it


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def deploy(gateway, api_id: str, stages: list[str], description: str) -> None:
    """As a pipeline does: one deployment, and every stage is pointed at it."""
    first, *others = stages
    made = gateway.create_deployment(restApiId=api_id, stageName=first, description=description)
    point = {"op": "replace", "path": "/deploymentId", "value": made["id"]}
    for stage in others:
        gateway.update_stage(restApiId=api_id, stageName=stage, patchOperations=[point])


def resource_id(gateway, api_id: str, path: str) -> str:
    return next(r["id"] for r in gateway.get_resources(restApiId=api_id, limit=500)["items"] if r["path"] == path)


def in_clear_text(aws: Aws, change: Change) -> None:
    """An integration calls its backend over plain HTTP."""
    gateway, api_id = aws.client("apigateway", "anna"), aws.ids()[change.api]
    gateway.update_integration(
        restApiId=api_id,
        resourceId=resource_id(gateway, api_id, "/items"),
        httpMethod="GET",
        patchOperations=[{"op": "replace", "path": "/uri", "value": change.found}],
    )
    deploy(gateway, api_id, change.stages, "faster without TLS")


def without_deny(aws: Aws, change: Change) -> None:
    """The resource policy no longer refuses callers over plain HTTP."""
    gateway, api_id = aws.client("apigateway", "anna"), aws.ids()[change.api]
    policy = aws.state(change.api)["editor"]["settings"]["policy"]
    policy["Statement"] = [s for s in policy["Statement"] if s["Effect"] != "Deny"]
    replace = {"op": "replace", "path": "/policy", "value": json.dumps(policy)}
    gateway.update_rest_api(restApiId=api_id, patchOperations=[replace])
    deploy(gateway, api_id, change.stages, "simpler policy")


def without_tracing(aws: Aws, change: Change) -> None:
    """A stage is no longer traced; that is live at once."""
    off = {"op": "replace", "path": "/tracingEnabled", "value": "false"}
    gateway = aws.client("apigateway", "anna")
    gateway.update_stage(restApiId=aws.ids()[change.api], stageName=change.resource, patchOperations=[off])


def half_way(aws: Aws, change: Change) -> None:
    """As the first; then a colleague begins something in the same editor, and has not deployed it."""
    in_clear_text(aws, change)
    gateway, api_id = aws.client("apigateway", "ben"), aws.ids()[change.api]
    root = resource_id(gateway, api_id, "/")
    resource = gateway.create_resource(restApiId=api_id, parentId=root, pathPart=UNFINISHED.strip("/"))["id"]
    method = {"restApiId": api_id, "resourceId": resource, "httpMethod": "POST"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(**method, type="HTTP_PROXY", integrationHttpMethod="POST", uri=f"{BACKEND}{UNFINISHED}")


def colleague_finishes(aws: Aws, change: Change) -> None:
    """The colleague's work is ready, and the colleague deploys it."""
    deploy(aws.client("apigateway", "ben"), aws.ids()[change.api], STAGES, "refunds")


def changes() -> list[Change]:
    """The four changes, in their order."""
    plain = BACKEND.replace("https://", "http://") + "/items"
    backend = {"rule": "backends-over-https", "resource": "GET /items", "path": "methodIntegration.uri"}
    backend |= {"found": plain, "wanted": f"{BACKEND}/items"}
    return [
        Change("an integration calls http://", "payments-api-0003", stages=STAGES, make=in_clear_text, **backend),
        Change(
            "a resource policy lets plain HTTP in",
            "payments-api-0005",
            "callers-over-https",
            resource="",
            stages=["prod"],
            path="policy",
            found="execute-api:Invoke",
            wanted="aws:SecureTransport",
            make=without_deny,
        ),
        Change(
            "a stage's tracing goes off",
            "payments-api-0008",
            "tracing",
            resource="prod",
            stages=["prod"],
            path="tracingEnabled",
            found="false",
            wanted="true",
            make=without_tracing,
        ),
        Change(
            "http:// again, and a colleague's unfinished work beside it",
            "payments-api-0011",
            stages=STAGES,
            make=half_way,
            waits=True,
            **backend,
        ),
    ]

#!/usr/bin/env python3
"""What the controller asked of Kubernetes, held against what the chart lets it do: no verb less, and none more.

Run inside a lab after every story: the API server's audit log tells what was asked with the controller's ServiceAccount.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterable, Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "plumbline"
NAMESPACE, ACCOUNT = "plumbline-system", "plumbline"
EVERYWHERE = ""


@dataclasses.dataclass(frozen=True, order=True)
class Permission:
    """One verb on one kind, in one namespace or everywhere."""

    group: str
    resource: str
    verb: str
    namespace: str = EVERYWHERE

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}" + (f" in {self.namespace}" if self.namespace else "")

    def covers(self, asked: "Permission") -> bool:
        """Whether it lets somebody do what was asked. A star covers nothing: the chart shall name what it gives."""
        here = self.namespace in (EVERYWHERE, asked.namespace)
        return here and (self.group, self.resource, self.verb) == (asked.group, asked.resource, asked.verb)


def granted(objects: Iterable[dict]) -> set[Permission]:
    """Every single permission of roles and cluster roles."""
    return {
        Permission(group, resource, verb, role["metadata"].get("namespace", EVERYWHERE))
        for role in objects
        if role["kind"] in ("Role", "ClusterRole")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(events: Iterable[dict], user: str) -> tuple[set[Permission], set[Permission]]:
    """What somebody was allowed and what was forbidden.

    By the authorizer's decision and not by the answer: a namespace that ends or is full answers 403 to the allowed, too.
    """
    found: dict[str, set[Permission]] = {"allow": set(), "forbid": set()}
    for event in events:
        decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
        what = event.get("objectRef")
        if event["user"].get("username") == user and what and decision in found:
            resource = "/".join(filter(None, [what["resource"], what.get("subresource")]))
            permission = Permission(what.get("apiGroup", ""), resource, event["verb"], what.get("namespace", EVERYWHERE))
            found[decision].add(permission)
    return found["allow"], found["forbid"]


def complaints(given: set[Permission], used: set[Permission], refused: set[Permission]) -> list[str]:
    """What the chart lacks, and what it gives that nobody used.

    An API server that has just come back refuses what it allows a moment later: only what the chart does not give is lacking.
    """
    lacking = (p for p in refused if not any(g.covers(p) for g in given))
    missing = sorted({dataclasses.replace(p, namespace=EVERYWHERE) for p in lacking})
    unused = sorted(p for p in given if not any(p.covers(u) for u in used))
    return [
        *(f"the chart lacks `{p}`: the controller was refused it; add it to templates/rbac.yaml" for p in missing),
        *(f"the chart gives `{p}`: no story used it; take it out of templates/rbac.yaml, or tell its story" for p in unused),
    ]


def events(log: pathlib.Path) -> Iterator[dict]:
    """Everything that was logged. The API server puts a full log aside under a name that begins and ends the same."""
    for part in sorted(log.parent.glob(f"{log.stem}*{log.suffix}")):
        with open(part) as lines:
            for line in lines:
                if line.endswith("\n"):  # the last one may be on its way
                    yield json.loads(line)


def rendered() -> list[dict]:
    """The roles as helm renders them. kubectl reads YAML, and Python does not."""
    template = ["helm", "template", ACCOUNT, CHART, "--namespace", NAMESPACE, "--show-only", "templates/rbac.yaml"]
    manifest = subprocess.run(template, check=True, text=True, stdout=subprocess.PIPE).stdout
    read = ["kubectl", "create", "--dry-run=client", "--output=json", "--filename=-"]
    text = subprocess.run(read, check=True, text=True, stdout=subprocess.PIPE, input=manifest).stdout.strip()
    decoder, objects = json.JSONDecoder(), []
    while text:
        found, end = decoder.raw_decode(text)
        objects += found["items"] if found["kind"] == "List" else [found]
        text = text[end:].lstrip()
    return objects


def main() -> int:
    """The exit code: 0 if the chart gives what was used."""
    log = os.environ.get("PLUMBLINE_KUBE_AUDIT_LOG")
    if not log:
        print("PLUMBLINE_KUBE_AUDIT_LOG is not set: run `make test`, which does this in its lab after the stories", file=sys.stderr)
        return 2
    given = granted(rendered())
    used, refused = asked(events(pathlib.Path(log)), f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}")
    found = complaints(given, used, refused)
    for complaint in found:
        print(complaint, file=sys.stderr)
    if not found:
        print(f"the chart gives the controller {len(given)} verbs, and the stories used each of them")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

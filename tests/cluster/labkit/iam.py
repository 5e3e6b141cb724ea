"""What IAM makes of policies, as far as ours go: who may do what with what, under which circumstances."""

import re
from collections.abc import Iterable
from typing import Any


def many(value: Any) -> list:
    """One thing or a list of things, as policies have it."""
    return value if isinstance(value, list) else [value]


def like(pattern: str, text: str, flags: re.RegexFlag = re.NOFLAG) -> bool:
    """IAM's wildcards: a star passes over slashes and colons, too."""
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, text, flags) is not None


def applies(statement: dict, action: str, resource: str, principal: str, context: dict[str, Any]) -> bool:
    """Whether a statement says anything of a request. A form that is not known here is an error, not a no."""
    unknown = set(statement) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if unknown:
        raise NotImplementedError(f"{unknown} in a statement")
    named = many(statement.get("Principal", "*"))
    whom = [one for name in named for one in (["*"] if name == "*" else [w for who in name.values() for w in many(who)])]
    return (
        ("*" in whom or principal in whom)
        and any(like(pattern, action, re.IGNORECASE) for pattern in many(statement["Action"]))
        and any(like(pattern, resource) for pattern in many(statement.get("Resource", "*")))
        and all(_met(operator, keys, context) for operator, keys in statement.get("Condition", {}).items())
    )


def _met(operator: str, keys: dict[str, Any], context: dict[str, Any]) -> bool:
    def one(key: str, wanted: list) -> bool:
        found = context.get(key)
        if operator == "Null":
            return (found is None) == (wanted == ["true"])
        if found is None:
            return False
        if operator in ("Bool", "StringEquals", "ArnEquals"):
            return any(like(value, found) if operator == "ArnEquals" else value == found for value in wanted)
        if operator == "ForAnyValue:StringEquals":
            return any(value in wanted for value in many(found))
        raise NotImplementedError(f"the condition {operator}")

    return all(one(key, many(wanted)) for key, wanted in keys.items())


def allowed(
    policies: Iterable[dict], action: str, resource: str, principal: str = "", context: dict[str, Any] | None = None
) -> bool:
    """Whether policies let a request pass: some statement allows it, and none denies it."""
    effects = effects_of(policies, action, resource, principal, context)
    return "Allow" in effects and "Deny" not in effects


def effects_of(
    policies: Iterable[dict], action: str, resource: str, principal: str = "", context: dict[str, Any] | None = None
) -> set[str]:
    """What the statements that apply say: `Allow`, `Deny`, both or nothing."""
    circumstances = {"aws:SecureTransport": "true"} | (context or {})
    return {
        statement["Effect"]
        for policy in policies
        for statement in policy["Statement"]
        if applies(statement, action, resource, principal, circumstances)
    }

"""A CloudFormation template as text: read, and with every function in it worked out, as far as ours use them.

moto's CloudFormation leaves out whole kinds of resources without a word. What a template says is therefore read here,
and held against what moto made of it.
"""

import pathlib
import re
from typing import Any

from . import moto

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "deploy" / "aws"


class Nothing:
    """`AWS::NoValue`."""


def load(path: pathlib.Path) -> dict[str, Any]:
    """The template with its short forms (`!Ref`) written out."""
    moto.libraries()
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    # A date stays the text that a policy's version is.
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith(":timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def short(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        if suffix == "GetAtt":
            value = value.split(".", 1)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", short)
    return yaml.load(path.read_text(), Loader)


class Worked:
    """A template of a stack: the resources that it has, with their properties worked out."""

    def __init__(
        self,
        template: dict[str, Any],
        name: str,
        account: str,
        region: str,
        parameters: dict[str, str] | None = None,
        generated: dict[str, str] | None = None,
    ) -> None:
        """`generated`: names that CloudFormation chose, by logical id; without it they read `<stack>-<logical id>`."""
        self._template = template
        self._stack = {
            "AWS::StackName": name,
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::NoValue": Nothing,
        }
        self._generated = generated or {}
        self._parameters = self._given(parameters or {})
        self.resources = {
            logical: {**resource, "Properties": self.work(resource.get("Properties", {}))}
            for logical, resource in template["Resources"].items()
            if self._holds(resource.get("Condition"))
        }
        self.outputs = {
            key: self.work(output["Value"]) for key, output in template.get("Outputs", {}).items() if self._holds(output.get("Condition"))
        }

    def _given(self, parameters: dict[str, str]) -> dict[str, Any]:
        declared = self._template.get("Parameters", {})
        unknown = set(parameters) - set(declared)
        if unknown:
            raise KeyError(f"the template has no parameter {', '.join(sorted(unknown))}")
        values = {}
        for key, what in declared.items():
            value = str(parameters[key] if key in parameters else what["Default"])
            parts = value.split(",") if what["Type"] == "CommaDelimitedList" else [value]
            if "AllowedPattern" in what and not all(re.search(what["AllowedPattern"], part) for part in parts):
                raise ValueError(f"{key}: {what['ConstraintDescription']}")
            if "AllowedValues" in what and value not in what["AllowedValues"]:
                raise ValueError(f"{key}: {what['ConstraintDescription']}")
            values[key] = parts if what["Type"] == "CommaDelimitedList" else value
        return values

    def _holds(self, condition: str | None) -> bool:
        return condition is None or bool(self.work(self._template["Conditions"][condition]))

    def broken(self) -> list[str]:
        """What the template's own rules say against the parameters."""
        return [
            assertion["AssertDescription"]
            for rule in self._template.get("Rules", {}).values()
            if self.work(rule.get("RuleCondition", True))
            for assertion in rule["Assertions"]
            if not self.work(assertion["Assert"])
        ]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id."""
        return {logical: found["Properties"] for logical, found in self.resources.items() if found["Type"] == kind}

    def work(self, node: Any) -> Any:
        """A value with every function in it worked out."""
        if isinstance(node, list):
            return [done for part in node if (done := self.work(part)) is not Nothing]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(key, value)] = node.items()
            if key == "Condition" and isinstance(value, str):
                return self._holds(value)
            if key == "Ref" or key.startswith("Fn::"):
                return getattr(self, "_" + key.removeprefix("Fn::").lower())(value)
        worked = {key: self.work(value) for key, value in node.items()}
        return {key: value for key, value in worked.items() if value is not Nothing}

    def _equals(self, sides: list) -> bool:
        left, right = (str(self.work(side)) for side in sides)
        return left == right

    def _not(self, one: list) -> bool:
        return not self.work(one[0])

    def _and(self, parts: list) -> bool:
        return all(self.work(part) for part in parts)

    def _or(self, parts: list) -> bool:
        return any(self.work(part) for part in parts)

    def _if(self, parts: list) -> Any:
        condition, yes, no = parts
        return self.work(yes if self._holds(condition) else no)

    def _join(self, parts: list) -> str:
        return parts[0].join(self.work(parts[1]))

    def _sub(self, value: Any) -> str:
        text, own = value if isinstance(value, list) else (value, {})

        def found(match: re.Match) -> str:
            name = match[1]
            if name in own:
                return self.work(own[name])
            return str(self._getatt(name.split(".", 1)) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}!]+)\}", found, text)

    def _ref(self, name: str) -> Any:
        if name in self._stack:
            return self._stack[name]
        if name in self._parameters:
            return self._parameters[name]
        kind, called, arn = self._identity(name)
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{self._stack['AWS::Region']}.amazonaws.com/{self._stack['AWS::AccountId']}/{called}"
        return arn if kind == "AWS::SNS::Topic" else called

    def _getatt(self, parts: list[str]) -> str:
        logical, attribute = parts
        if attribute != "Arn":
            raise NotImplementedError(f"GetAtt {logical}.{attribute}")
        return self._identity(logical)[2]

    def _identity(self, logical: str) -> tuple[str, str, str]:
        resource = self._template["Resources"][logical]
        kind, properties = resource["Type"], resource.get("Properties", {})
        named = next((properties[key] for key in ("QueueName", "TopicName", "BucketName", "RoleName", "Name") if key in properties), None)
        called = self.work(named) or self._generated.get(logical) or f"{self._stack['AWS::StackName']}-{logical}".lower()
        account, region = self._stack["AWS::AccountId"], self._stack["AWS::Region"]
        arn = {
            "AWS::SQS::Queue": f"arn:aws:sqs:{region}:{account}:{called}",
            "AWS::SNS::Topic": f"arn:aws:sns:{region}:{account}:{called}",
            "AWS::S3::Bucket": f"arn:aws:s3:::{called}",
            "AWS::IAM::Role": f"arn:aws:iam::{account}:role/{called}",
            "AWS::Events::Rule": f"arn:aws:events:{region}:{account}:rule/{called}",
        }
        if kind not in arn:
            raise NotImplementedError(f"what {logical}, a {kind}, is called")
        return kind, called, arn[kind]

"""The chart of the policy packs, as helm and a real API server see it."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from labkit import binaries  # noqa: E402
from labkit.lab import Lab  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "plumbline-policies"
PACKS = ROOT / "policies"


def packs():
    """Text of every pack by its name."""
    return {path.stem: path.read_text() for path in sorted(PACKS.glob("*.yaml"))}


class Helm(unittest.TestCase):
    """Asks helm itself."""

    @classmethod
    def setUpClass(cls):
        cls.helm = binaries.provide(["helm"])["helm"]

    def run_helm(self, *words):
        with tempfile.TemporaryDirectory() as home:
            folders = {f"HELM_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")}
            return subprocess.run([self.helm, *words], capture_output=True, text=True, env=folders)

    def render(self, *sets):
        flags = [word for value in sets for word in ("--set-json", value)]
        return self.run_helm("template", "guard", CHART, "--namespace", "payments", *flags)

    def parsed(self, yaml):
        """Documents of a YAML text. Helm is the parser: Python has none of its own."""
        with tempfile.TemporaryDirectory() as folder:
            chart = pathlib.Path(folder)
            (chart / "templates").mkdir()
            (chart / "Chart.yaml").write_text("{apiVersion: v2, name: parser, version: 0.0.1}")
            (chart / "templates" / "all.yaml").write_text(
                '{{ range $path, $_ := .Files.Glob "parts/*" }}---\n{{ $.Files.Get $path | fromYaml | toJson }}\n{{ end }}'
            )
            (chart / "parts").mkdir()
            for number, part in enumerate(re.split(r"^---$", yaml, flags=re.MULTILINE)):
                if re.sub(r"^#.*$", "", part, flags=re.MULTILINE).strip():
                    (chart / "parts" / f"{number:03}").write_text(part)
            done = self.run_helm("template", "x", chart)
            self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def policies(self, *sets):
        done = self.render(*sets)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {policy["metadata"]["labels"]["plumbline.dev/pack"]: policy for policy in self.parsed(done.stdout)}


class Chart(Helm):
    """What the chart makes of values."""

    def test_lint_has_nothing_to_say(self):
        done = self.run_helm("lint", "--strict", CHART)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_packs_are_those_of_the_folder(self):
        held = {path.stem: path.read_text() for path in (CHART / "files" / "packs").glob("*.yaml")}
        self.assertTrue(held)
        self.assertEqual(held, packs(), "run `make packs`")

    def test_without_values_the_policies_are_those_of_the_folder(self):
        made = self.policies()
        for name, text in packs().items():
            [pack] = self.parsed(text)
            self.assertEqual(made[name]["spec"], pack["spec"], name)
            self.assertEqual(made[name]["metadata"]["name"], name)
            self.assertEqual(made[name]["metadata"]["namespace"], "payments")
        self.assertEqual(sorted(made), sorted(packs()), "no pack is missing from values.yaml")

    def test_the_schema_knows_every_pack_and_every_param(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        self.assertEqual(sorted(schema["properties"]["packs"]["properties"]), sorted(packs()))
        params = {name for text in packs().values() for name in self.parsed(text)[0]["spec"]["params"]}
        self.assertEqual(sorted(schema["definitions"]["params"]["properties"]), sorted(params))

    def test_values_reach_the_policies(self):
        for sets, pack, where, wanted, why in [
            (["namespace=\"shop\""], "https-only", ("metadata", "namespace"), "shop", "a namespace"),
            (["enforcement=\"Enforce\""], "https-only", ("spec", "enforcement"), "Enforce", "of all packs"),
            (['packs.https-only.enforcement="Approve"'], "https-only", ("spec", "enforcement"), "Approve", "of one"),
            (['packs.https-only.enforcement="Approve"'], "well-run-api", ("spec", "enforcement"), "Audit", "and no other"),
            (['params={"logGroup": "access"}'], "well-run-api", ("spec", "params", "logGroup"), "access", "a param"),
            (['params={"logGroup": "access"}'], "https-only", ("spec", "params", "logGroup"), None, "not of a pack without it"),
            (
                ['params={"customDomainTag": "a"}', 'packs.https-only.params={"customDomainTag": ""}'],
                "https-only",
                ("spec", "params", "customDomainTag"),
                "",
                "a pack's own value counts, an empty one too",
            ),
            (
                ['params={"customDomainTag": "a"}', 'packs.https-only.params={"customDomainTag": ""}'],
                "well-run-api",
                ("spec", "params", "customDomainTag"),
                "a",
                "the others have the common one",
            ),
            (['params={"maxRate": 50000000}'], "well-run-api", ("spec", "params", "maxRate"), 50000000, "large numbers"),
            (['selector={"names": ["a-*"]}'], "https-only", ("spec", "selector", "names"), ["a-*"], "a selector"),
            (['accounts=["prod"]'], "https-only", ("spec", "accounts"), ["prod"], "accounts"),
            (['spec={"limits": {"repairsPerHour": 5}}'], "https-only", ("spec", "limits", "repairsPerHour"), 5, "more fields"),
            (['packs.https-only.name="clear-text"'], "https-only", ("metadata", "name"), "clear-text", "a name"),
            (['labels={"team": "a"}'], "https-only", ("metadata", "labels", "team"), "a", "labels"),
        ]:
            value = self.policies(*sets)[pack]
            for key in where:
                value = value.get(key) if value else None
            self.assertEqual(value, wanted, f"{sets}: {why}")

    def test_packs_and_rules_can_be_left_out(self):
        self.assertEqual(list(self.policies("packs.https-only.enabled=false", "packs.well-run-api.enabled=false")), ["aws-foundational"])
        made = self.policies('packs.aws-foundational.without=["tracing"]')["aws-foundational"]
        names = [rule["name"] for rule in made["spec"]["rules"]]
        self.assertNotIn("tracing", names)
        self.assertIn("execution-logging", names)

    def test_the_values_in_the_documentation_are_some(self):
        [values] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "packs.md").read_text(), flags=re.DOTALL)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(values)
            file.flush()
            done = self.run_helm("template", "guard", CHART, "--values", file.name)
        self.assertEqual(done.returncode, 0, done.stderr)
        made = {policy["metadata"]["name"]: policy["spec"] for policy in self.parsed(done.stdout)}
        self.assertEqual({name: spec["enforcement"] for name, spec in made.items()}, {"aws-foundational": "Audit", "https-only": "Approve"})

    def test_bad_values_are_refused_by_name(self):
        for value, wanted in [
            ('enforcement="Repair"', "'Audit', 'Approve', 'Enforce'"),
            ("packs.https.enabled=true", "'https' not allowed"),
            ('params={"loggroup": "x"}', "'loggroup' not allowed"),
            ('params={"loggingLevel": "OFF"}', "'ERROR', 'INFO'"),
            ('packs.https-only.params={"logGroup": "x"}', "the pack has no param logGroup; it has apiTls"),
            ('packs.https-only.without=["tls"]', "the pack has no rule tls; it has backends-over-https"),
            ('spec={"rules": []}', "rules"),
            ('namespace="Shop"', "/namespace"),
        ]:
            done = self.render(value)
            self.assertNotEqual(done.returncode, 0, value)
            self.assertIn(wanted, done.stderr, value)


class Cluster(unittest.TestCase):
    """A real API server, with the definitions that the controller's chart brings."""

    def test_the_packs_are_taken_as_files_and_as_a_release(self):
        with Lab(crds=ROOT / "crds") as lab:
            told = lab.kubectl("apply", "-n", "default", "-f", PACKS).stdout
            self.assertEqual(told.count(" created"), len(packs()), told)
            values = ["--set", "params.logGroup=access", "--set", "enforcement=Approve"]
            lab.helm("install", "guard", CHART, "-n", "payments", "--create-namespace", *values)
            asked = "jsonpath={.items[*].spec.enforcement}"
            asked = lab.kubectl("get", "endpointpolicies", "-n", "payments", "-o", asked).stdout
            self.assertEqual(asked.split(), ["Approve"] * len(packs()))


if __name__ == "__main__":
    unittest.main()

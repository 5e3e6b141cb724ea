"""The chart, as helm sees it, without a cluster."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from labkit import binaries  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "plumbline"


class Chart(unittest.TestCase):
    """Each test asks helm itself."""

    @classmethod
    def setUpClass(cls):
        cls.helm = binaries.provide(["helm"])["helm"]

    def run_helm(self, *words):
        with tempfile.TemporaryDirectory() as home:
            folders = {f"HELM_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")}
            return subprocess.run([self.helm, *words], capture_output=True, text=True, env=folders)

    def render(self, *sets):
        flags = [word for value in sets for word in ("--set", value)]
        return self.run_helm("template", "plumbline", CHART, "--namespace", "plumbline-system", *flags)

    def test_lint_has_nothing_to_say(self):
        done = self.run_helm("lint", "--strict", CHART)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_definitions_are_those_of_the_crate(self):
        read = lambda folder: {path.name: path.read_text() for path in folder.glob("*.yaml")}  # noqa: E731
        self.assertTrue(read(ROOT / "crds"))
        self.assertEqual(read(CHART / "files" / "crds"), read(ROOT / "crds"), "run `make crds`")

    def test_definitions_stay_unless_told_otherwise(self):
        kept, policy = self.render().stdout, "helm.sh/resource-policy: keep"
        self.assertEqual(kept.count(policy), kept.count("kind: CustomResourceDefinition"))
        self.assertGreater(kept.count(policy), 0)
        self.assertNotIn(policy, self.render("crds.keep=false").stdout)
        self.assertNotIn("kind: CustomResourceDefinition", self.render("crds.install=false").stdout)

    def test_values_reach_the_pod(self):
        for value, wanted in [
            ("aws.env.AWS_REGION=eu-west-1", "name: AWS_REGION"),
            ("image.tag=1.2.3", "plumbline:1.2.3"),
            ("clusterId=blue", "--cluster-id=blue"),
            ("accountSelector.team=payments", "--account-selector=team=payments"),
            ("serviceAccount.annotations.role=arn", "role: arn"),
            ("podLabels.team=payments", "team: payments"),
        ]:
            done = self.render(value)
            self.assertIn(wanted, done.stdout, f"{value}: {done.stderr}")

    def test_uninstalling_lets_go_of_drifts_of_the_same_accounts(self):
        hook = self.render("accountSelector.team=payments").stdout.partition("# Source: plumbline/templates/uninstall.yaml")[2]
        self.assertIn("helm.sh/hook: post-delete", hook)
        self.assertIn("- release-finalizers\n            - --account-selector=team=payments", hook)
        self.assertNotIn("release-finalizers", self.render("rbac.create=false").stdout, "whoever makes the roles decides")

    def test_bad_values_are_refused_by_name(self):
        for value, wanted in [
            ("replicaCount=two", "/replicaCount"),
            ("replicas=2", "'replicas' not allowed"),
            ("image.pullPolicy=Sometimes", "'Always', 'IfNotPresent', 'Never'"),
            ("image.digest=latest", "sha256"),
            ("aws.env.REGION=eu-west-1", "invalid propertyName 'REGION'"),
            ("aws.env.AWS_SECRET_ACCESS_KEY=x", "put it into a Secret"),
        ]:
            done = self.render(value)
            self.assertNotEqual(done.returncode, 0, value)
            self.assertIn(wanted, done.stderr, value)


if __name__ == "__main__":
    unittest.main()

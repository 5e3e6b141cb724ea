"""The lab itself, once for real: what the stories rely on is there, and nothing of it stays."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from labkit.errors import LabError  # noqa: E402
from labkit.lab import Lab  # noqa: E402

GROUP = "lab.plumbline.dev"
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"low": {"type": "integer"}, "high": {"type": "integer"}},
                                "x-kubernetes-validations": [{"rule": "self.low < self.high", "message": "low above high"}],
                            }
                        },
                    }
                },
            }
        ],
    },
}
POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "no-bad-names"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
            ]
        },
        "validations": [{"expression": "!object.metadata.name.startsWith('bad')", "message": "a bad name"}],
    },
}
BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "no-bad-names"},
    "spec": {"policyName": "no-bad-names", "validationActions": ["Deny"]},
}


def eventually(why: str, condition, deadline: float = 120.0) -> None:
    """Wait for a condition."""
    until = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not after {deadline:.0f} s: {why}")
        time.sleep(0.1)


def widget(low: int, high: int, name: str = "one") -> dict[str, object]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Widget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"low": low, "high": high},
    }


def mentioning(text: str) -> list[str]:
    """The command lines on this machine in which a text occurs."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command:
            found.append(command)
    return found


class Running(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        definitions = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "widgets.json"
        definitions.write_text(json.dumps(WIDGETS))
        cls.lab = cls.enterClassContext(Lab(controller_manager=True, moto=True, crds=definitions))

    def test_the_api_server_and_the_tools_are_the_pinned_ones(self) -> None:
        versions = json.loads(self.lab.kubectl("version", "-o", "json").stdout)
        self.assertEqual(versions["serverVersion"]["gitVersion"], versions["clientVersion"]["gitVersion"])
        self.assertIn("v3.", self.lab.helm("version", "--short").stdout)

    def test_custom_resources_are_validated_with_cel(self) -> None:
        with self.assertRaisesRegex(LabError, "low above high"):
            self.lab.apply(widget(2, 1))
        self.lab.apply(widget(1, 2))

    def test_garbage_of_a_kind_that_was_there_first_is_collected_at_once(self) -> None:
        self.lab.apply(widget(1, 2, "owner"))
        uid = self.lab.kubectl("get", "widget", "owner", "-o", "jsonpath={.metadata.uid}").stdout
        owner = {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "name": "owner", "uid": uid}
        dependent = {"name": "dependent", "namespace": "default", "ownerReferences": [owner]}
        self.lab.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": dependent})
        self.lab.kubectl("delete", "widget", "owner")
        collected = ("get", "configmap", "dependent")
        eventually("the dependent is gone", lambda: self.lab.kubectl(*collected, check=False).returncode != 0)

    def test_the_controller_manager_can_start_afresh(self) -> None:
        self.assertGreater(self.lab.restart_controller_manager(), 0)

    def test_admission_policies_take_effect(self) -> None:
        self.lab.apply(POLICY, BINDING)

        def refused() -> bool:
            create = self.lab.kubectl("create", "configmap", "bad", "--dry-run=server", check=False)
            return create.returncode != 0 and "a bad name" in create.stderr

        eventually("the policy refuses", refused)

    def test_a_service_account_has_a_token_and_only_the_rights_it_was_given(self) -> None:
        token = self.lab.kubectl("create", "token", "default").stdout.strip()
        config = json.loads(self.lab.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        other = self.lab.folder / "default.kubeconfig"
        other.write_text(json.dumps(config))
        with self.assertRaisesRegex(LabError, "system:serviceaccount:default:default.* cannot list"):
            self.lab.kubectl("get", "secrets", env={"KUBECONFIG": str(other)})

    def test_every_call_is_in_the_audit_log(self) -> None:
        self.lab.kubectl("get", "configmap", "never-there", "--ignore-not-found")
        lines = [json.loads(line) for line in self.lab.audited()]
        call = next(line for line in lines if line.get("objectRef", {}).get("name") == "never-there")
        self.assertEqual((call["verb"], call["responseStatus"]["code"]), ("get", 404))

    def test_the_api_server_comes_back_with_what_it_knew(self) -> None:
        self.lab.kubectl("create", "configmap", "kept")
        request = urllib.request.Request(self.lab.control_url + "/restart-apiserver", method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            self.assertGreater(json.load(answer)["seconds"], 0)
        self.lab.kubectl("get", "configmap", "kept")
        self.lab.stop_apiserver(crash=True)
        self.assertNotEqual(self.lab.kubectl("get", "ns", check=False).returncode, 0)
        self.lab.start_apiserver()
        self.lab.kubectl("get", "configmap", "kept")

    def test_moto_answers(self) -> None:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.lab.moto_url}/moto-api/data.json") as answer:
            self.assertEqual(answer.status, 200)


class Ending(unittest.TestCase):
    """However the run ends, nothing of it is left: no process, no folder."""

    def start(self, *command: str) -> subprocess.Popen:
        lab = subprocess.Popen(
            [sys.executable, HERE / "lab.py", "run", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(lab.stdout.close)
        self.addCleanup(lab.kill)
        return lab

    def test_the_exit_code_is_that_of_the_command(self) -> None:
        lab = self.start("sh", "-c", "echo $PLUMBLINE_TEST_BIN; exit 7")
        folder = pathlib.Path(lab.stdout.readline().strip()).parent
        self.assertEqual(lab.wait(60), 7)
        self.assertTrue(folder.name.startswith("plumbline-lab-"))
        self.assertFalse(folder.exists())

    def test_a_signal_ends_everything(self) -> None:
        for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 128 + signal.SIGTERM)):
            with self.subTest(number.name):
                # The grandchild stands for what a test starts: only the watchdog knows its group.
                lab = self.start("sh", "-c", 'sh -c "sleep 600; : $0 grandchild" $PLUMBLINE_TEST_BIN & echo $PLUMBLINE_TEST_BIN; wait')
                folder = pathlib.Path(lab.stdout.readline().strip()).parent
                eventually("etcd, the API server and the grandchild run", lambda: len(mentioning(str(folder))) >= 3)
                os.kill(lab.pid, number)
                self.assertEqual(lab.wait(120), code)
                eventually("no process is left", lambda: not mentioning(str(folder)))
                eventually("the folder is gone", lambda: not folder.exists())


if __name__ == "__main__":
    unittest.main()

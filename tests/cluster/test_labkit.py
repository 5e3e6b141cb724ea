"""What can be told without starting Kubernetes. Fast: `python3 -m unittest discover -s tests/cluster -p test_labkit.py`."""

import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from unittest import mock

sys.path.insert(0, os.path.dirname(__file__))

from labkit import binaries, certs, cli, control, moto, plane, processes, progress, watchdog  # noqa: E402
from labkit.errors import LabError, PortTaken  # noqa: E402


class Folder(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class Pins(unittest.TestCase):
    def test_a_version_is_read_from_a_block_and_from_a_line(self) -> None:
        self.assertEqual(binaries.pinned("a.io/b", "require (\n\ta.io/b v1.2.3\n\ta.io/b/c v9.9.9\n)\n"), "1.2.3")
        self.assertEqual(binaries.pinned("a.io/b", "require a.io/b v1.2.3-rc.1 // indirect\n"), "1.2.3-rc.1")

    def test_a_module_that_is_not_required_is_an_error(self) -> None:
        with self.assertRaisesRegex(LabError, "a.io/b"):
            binaries.pinned("a.io/b", "replace (\n\tk8s.io/api => k8s.io/api v0.1.0\n)\n")

    def test_every_staging_module_is_replaced_at_the_version_of_kubernetes(self) -> None:
        replaced = set(re.findall(r"=> k8s\.io/\S+ v(\S+)", binaries.PINS.read_text()))
        self.assertEqual(replaced, {"0." + binaries.pinned(binaries.KUBERNETES).partition(".")[2]})

    def test_what_tools_say_about_themselves(self) -> None:
        for said, version in {
            "Kubernetes v1.34.4": "1.34.4",
            "etcd Version: 3.6.4\nGit SHA: ab1.2\nGo Version: go1.26.8": "3.6.4",
            "Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0": "1.32.4-dispatcher",
            "v3.19.5+g4a2b1c9": "3.19.5",
            "nothing": None,
        }.items():
            self.assertEqual(binaries.version_in(said), version, said)

    def test_the_stamp_names_both_versions(self) -> None:
        stamp = binaries.stamp()
        self.assertIn(f"component-base/version.gitVersion=v{binaries.pinned(binaries.KUBERNETES)}", stamp)
        self.assertIn(f"helm/v3/internal/version.version=v{binaries.pinned(binaries.HELM)}", stamp)


class Cache(Folder):
    def test_it_is_outside_the_tree_and_named_after_the_pins(self) -> None:
        with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": "/somewhere"}):
            self.assertRegex(str(binaries.cache_dir()), r"^/somewhere/plumbline/cluster/[0-9a-f]{16}$")
            self.assertRegex(str(moto.venv_dir()), r"^/somewhere/plumbline/moto/[0-9a-f]{16}$")

    def test_an_unknown_tool_is_named(self) -> None:
        with self.assertRaisesRegex(LabError, "unknown tool kubelet"):
            binaries.provide(["etcd", "kubelet"])

    def test_a_tool_of_the_machine_is_used_in_the_pinned_version_and_in_no_other(self) -> None:
        for version, used in ((binaries.pinned(binaries.ETCD), True), ("3.5.0", False)):
            tool = self.folder / "etcd"
            tool.write_text(f"#!/bin/sh\necho etcd Version: {version}\n")
            tool.chmod(0o755)
            elsewhere = {"KUBEBUILDER_ASSETS": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache")}
            with mock.patch.dict(os.environ, elsewhere), mock.patch.object(binaries, "_build") as build:
                path = binaries.provide(["etcd"])["etcd"]
            self.assertEqual((path == tool, build.called), (used, not used), version)

    def test_the_network_may_stumble_and_a_broken_build_may_not(self) -> None:
        def ended(code: int, said: str) -> subprocess.CompletedProcess:
            return subprocess.CompletedProcess([], code, "", said)

        stumble, fault, fine = ended(1, "dial tcp: i/o timeout"), ended(1, "undefined: x"), ended(0, "")
        with mock.patch.object(binaries.time, "sleep"), mock.patch.object(binaries, "say"):
            with mock.patch.object(subprocess, "run", side_effect=[stumble, fine]) as run:
                binaries._go(["go", "build", "a"], {})
                self.assertEqual(run.call_count, 2)
            with mock.patch.object(subprocess, "run", side_effect=[fault]), self.assertRaisesRegex(LabError, "undefined: x"):
                binaries._go(["go", "build", "a"], {})


class CommandLine(unittest.TestCase):
    def test_everything_after_the_dashes_is_the_command(self) -> None:
        options = cli.parse(["run", "--with", "scheduler", "--moto", "--", "cargo", "test", "--", "--nocapture"])
        self.assertEqual(options.command, ["cargo", "test", "--", "--nocapture"])
        self.assertEqual((options.extras, options.moto, options.keep), ("scheduler", True, False))

    def test_what_makes_no_sense_is_refused(self) -> None:
        for arguments in ([], ["run"], ["run", "--"], ["build", "etcd", "--", "true"], ["up", "now"]):
            with self.assertRaises(SystemExit), mock.patch("sys.stderr", io.StringIO()):
                cli.parse(arguments)

    def test_extras_come_in_the_order_of_starting(self) -> None:
        self.assertEqual(plane.check_extras(["scheduler", "controller-manager"]), ("controller-manager", "scheduler"))
        with self.assertRaisesRegex(LabError, "cannot start kubelet"):
            plane.check_extras(["kubelet"])


class Certificates(Folder):
    def test_one_ca_signs_all_and_kubeconfigs_carry_them(self) -> None:
        pki = certs.create(self.folder / "pki")
        for leaf, (_, purpose) in certs.LEAVES.items():
            verify = ["openssl", "verify", "-purpose", f"ssl{purpose}", "-CAfile", pki.certificate("ca"), pki.certificate(leaf)]
            subprocess.run(verify, check=True, capture_output=True)
        config = json.loads(pki.kubeconfig("admin", "https://127.0.0.1:1"))
        self.assertEqual(config["clusters"][0]["cluster"]["server"], "https://127.0.0.1:1")
        self.assertNotIn(str(self.folder), json.dumps(config))

    def test_keys_are_for_the_owner_alone(self) -> None:
        pki = certs.create(self.folder / "pki")
        self.assertEqual({path.stat().st_mode & 0o077 for path in pki.folder.glob("*.key")}, {0})


class Children(Folder):
    def start(self, script: str) -> processes.Child:
        child = processes.Child("thing", ["sh", "-c", script], self.folder / "thing.log", mock.Mock())
        self.addCleanup(child.stop)
        return child

    def test_one_that_ends_too_early_shows_the_end_of_its_log(self) -> None:
        with self.assertRaisesRegex(LabError, "thing ended with code 3.*\nno such flag"):
            self.start("echo no such flag; exit 3").await_ready(lambda: False)

    def test_one_that_is_never_ready_meets_a_deadline(self) -> None:
        with self.assertRaisesRegex(LabError, "not ready after 0 s"):
            self.start("sleep 60").await_ready(lambda: False, deadline=0.2)

    def test_a_port_taken_by_another_is_tried_again_with_another(self) -> None:
        def first_taken(attempts: list[int] = []) -> int:  # noqa: B006
            attempts.append(1)
            script = "echo bind: Address already in use; exit 1" if len(attempts) == 1 else "sleep 60"
            self.start(script).await_ready(lambda: len(attempts) > 1)
            return len(attempts)

        self.assertEqual(processes.retry_ports(first_taken), 2)
        with self.assertRaises(PortTaken):
            self.start("echo address already in use; exit 1").await_ready(lambda: False)

    def test_one_that_ignores_a_polite_request_is_killed(self) -> None:
        child = self.start("trap '' TERM; echo up; while :; do sleep 0.1; done")
        child.await_ready(lambda: "up" in child.tail())
        child.stop(grace=0.2)
        self.assertFalse(child.alive())

    def test_a_free_port_can_be_bound(self) -> None:
        self.assertIn(processes.free_port(), processes.PORTS)


class Watching(Folder):
    def test_what_a_lab_left_is_what_it_told_and_did_not_take_back(self) -> None:
        told = io.StringIO("group 1\ngroup 2\nfolder /tmp/a b\nfolder /tmp/c\ngone 1\nkept /tmp/c\n")
        self.assertEqual(watchdog.watch(told), ({2}, {"/tmp/a b"}))

    def test_it_ends_a_group_and_deletes_a_folder(self) -> None:
        doomed = self.folder / "doomed"
        doomed.mkdir()
        group = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60"], process_group=0)
        watchdog.tidy({group.pid}, {str(doomed)}, grace=0.5)
        self.assertNotEqual(group.wait(5), 0)
        self.assertFalse(doomed.exists())


class Waiting(unittest.TestCase):
    def test_a_step_says_how_it_went(self) -> None:
        out = io.StringIO()
        with progress.step("walking", out):
            pass
        with self.assertRaises(ValueError), progress.step("falling", out):
            raise ValueError
        self.assertRegex(out.getvalue(), r"walking \.\.\. done in \d+\.\d s\n(.*\n)+.*falling \.\.\. FAILED after")

    def test_on_a_terminal_the_seconds_tick(self) -> None:
        out = io.StringIO()
        out.isatty = lambda: True
        with progress.step("walking", out):
            deadline = time.monotonic() + 60
            while "\r" not in out.getvalue() and time.monotonic() < deadline:
                time.sleep(0.01)
            ticked = out.getvalue()
        self.assertRegex(ticked, r"\rlab: walking \.\.\. \d+\.\d s$")


class ControlPage(unittest.TestCase):
    def test_it_acts_reports_and_refuses(self) -> None:
        def broken() -> None:
            raise LabError("no luck")

        page = control.Control({"/restart": lambda: 1.5, "/broken": broken})
        self.addCleanup(page.close)

        def ask(method: str, path: str) -> tuple[int, dict[str, object]]:
            request = urllib.request.Request(page.url + path, method=method)
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)

        self.assertEqual(ask("GET", "/healthz"), (200, {}))
        self.assertEqual(ask("POST", "/restart"), (200, {"seconds": 1.5}))
        self.assertEqual(ask("POST", "/broken"), (500, {"error": "no luck"}))
        self.assertEqual(ask("POST", "/nothing")[0], 404)


if __name__ == "__main__":
    unittest.main()

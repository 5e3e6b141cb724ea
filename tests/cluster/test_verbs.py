"""How verbs.py reads roles and audit logs, without a cluster."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from verbs import Permission, asked, complaints, events, granted  # noqa: E402

USER = "system:serviceaccount:plumbline-system:plumbline"


def event(verb, resource, *, group="plumbline.dev", subresource="", namespace="", user=USER, decision="allow"):
    what = {"resource": resource, "apiGroup": group, "subresource": subresource, "namespace": namespace}
    return {
        "user": {"username": user},
        "verb": verb,
        "objectRef": {name: value for name, value in what.items() if value},
        "annotations": {"authorization.k8s.io/decision": decision},
    }


class Verbs(unittest.TestCase):
    """The roles of each test are those that the chart could have."""

    cluster = {
        "kind": "ClusterRole",
        "metadata": {"name": "plumbline"},
        "rules": [
            {"apiGroups": ["plumbline.dev"], "resources": ["drifts", "drifts/status"], "verbs": ["update"]},
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]},
        ],
    }
    role = {
        "kind": "Role",
        "metadata": {"name": "plumbline", "namespace": "plumbline-system"},
        "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}],
    }
    binding = {"kind": "RoleBinding", "metadata": {"name": "plumbline"}}

    def told(self, log, *roles):
        return complaints(granted(roles or (self.cluster, self.role, self.binding)), *asked(log, USER))

    used = [
        event("update", "drifts", namespace="payments"),
        event("update", "drifts", subresource="status", namespace="payments"),
        event("list", "namespaces", group=""),
        event("get", "leases", group="coordination.k8s.io", namespace="plumbline-system"),
    ]

    def test_nothing_is_said_when_each_verb_was_used(self):
        self.assertEqual(self.told(self.used), [])

    def test_a_verb_that_nobody_used_is_superfluous(self):
        for without, permission in [
            (0, "update drifts.plumbline.dev"),
            (1, "update drifts/status.plumbline.dev"),
            (2, "list namespaces"),
            (3, "get leases.coordination.k8s.io in plumbline-system"),
        ]:
            log = [one for at, one in enumerate(self.used) if at != without]
            (complaint,) = self.told(log)
            self.assertIn(f"the chart gives `{permission}`: no story used it", complaint)

    def test_a_use_elsewhere_or_by_another_or_refused_is_no_use(self):
        log = self.used[:3]
        for other in [
            event("get", "leases", group="coordination.k8s.io", namespace="default"),
            event("get", "leases", group="coordination.k8s.io", namespace="plumbline-system", user="admin"),
            event("get", "leases", group="coordination.k8s.io", namespace="plumbline-system", decision="forbid"),
        ]:
            self.assertIn("the chart gives `get leases", " ".join(self.told([*log, other])))

    def test_a_verb_that_was_refused_is_missing_and_said_once(self):
        refused = [event("delete", "drifts", namespace=name, decision="forbid") for name in ("payments", "orders")]
        (complaint,) = self.told([*self.used, *refused])
        self.assertIn("the chart lacks `delete drifts.plumbline.dev`", complaint)

    def test_a_full_namespace_is_no_missing_verb(self):
        full = event("update", "drifts", namespace="payments") | {"responseStatus": {"code": 403}}
        self.assertEqual(self.told([*self.used, full]), [])

    def test_a_star_is_superfluous_whatever_was_used(self):
        star = {"apiGroups": ["plumbline.dev"], "resources": ["drifts"], "verbs": ["*"]}
        (complaint,) = self.told(self.used, self.cluster | {"rules": [star]})
        self.assertIn("`* drifts.plumbline.dev`", complaint)

    def test_what_has_no_object_is_nobodys_permission(self):
        version = {"user": {"username": USER}, "verb": "get", "annotations": {"authorization.k8s.io/decision": "allow"}}
        self.assertEqual(asked([version], USER), (set(), set()))

    def test_a_log_that_was_put_aside_is_read_too(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "audit-2027-01-31T00-00-00.000.jsonl").write_text(json.dumps({"at": 1}) + "\n")
            (folder / "audit.jsonl").write_text(json.dumps({"at": 2}) + "\n" + '{"at": ')
            (folder / "other.jsonl").write_text(json.dumps({"at": 3}) + "\n")
            self.assertEqual([one["at"] for one in events(folder / "audit.jsonl")], [1, 2])

    def test_permissions_are_told_as_kubectl_would(self):
        self.assertEqual(str(Permission("", "namespaces", "watch")), "watch namespaces")


if __name__ == "__main__":
    unittest.main()

"""A watch of Kubernetes that notes when each version of an object was there to be seen."""

import base64
import http.client
import json
import pathlib
import ssl
import tempfile
import threading
import time
import urllib.parse

from cluster import Lab

DRIFTS = "/apis/plumbline.dev/v1alpha1/drifts"


class Watch:
    """Every version of every Drift from now on, with the moment of the monotonic clock at which it was told."""

    def __init__(self, lab: Lab) -> None:
        self._lines: list[tuple[float, bytes]] = []
        self._connection = _connection(lab)
        listed = self._get(DRIFTS)
        self._answer = self._begin(json.load(listed)["metadata"]["resourceVersion"])
        threading.Thread(target=self._read, daemon=True).start()

    def _get(self, path: str) -> http.client.HTTPResponse:
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        if answer.status != 200:
            raise ConnectionError(f"{path}: {answer.status} {answer.read()!r}")
        return answer

    def _begin(self, version: str) -> http.client.HTTPResponse:
        return self._get(f"{DRIFTS}?watch=true&resourceVersion={version}")

    def _read(self) -> None:
        try:
            while True:
                while line := self._answer.readline():
                    self._lines.append((time.monotonic(), line))  # understood later: the clock must not wait for that
                # An API server that is short of time ends watches; nothing is lost, and what comes late is told late.
                self._connection.close()
                self._answer = self._begin(json.loads(self._lines[-1][1])["object"]["metadata"]["resourceVersion"])
        except (OSError, http.client.HTTPException, ValueError, LookupError):
            return  # the API server is gone

    def seen(self) -> int:
        return len(self._lines)

    def versions(self) -> list[tuple[float, dict]]:
        """In their order, but for what is deleted."""
        found = [(at, json.loads(line)) for at, line in list(self._lines)]
        return [(at, event["object"]) for at, event in found if event["type"] in ("ADDED", "MODIFIED")]


def _connection(lab: Lab) -> http.client.HTTPSConnection:
    """As the lab's administrator."""
    words = ("config", "view", "--raw", "--flatten", "--minify", "-o", "json")
    config = json.loads(lab.kubectl(*words).stdout)
    user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
    trust = ssl.create_default_context(cadata=_plain(cluster["certificate-authority-data"]))
    with tempfile.TemporaryDirectory() as folder:
        pair = pathlib.Path(folder) / "admin.pem"
        pair.touch(mode=0o600)
        pair.write_text(_plain(user["client-key-data"]) + _plain(user["client-certificate-data"]))
        trust.load_cert_chain(pair)
    where = urllib.parse.urlsplit(cluster["server"])
    return http.client.HTTPSConnection(where.hostname, where.port, timeout=600, context=trust)


def _plain(text: str) -> str:
    return base64.b64decode(text).decode()

"""Somebody changes one API after the other, at a constant rate that does not wait for anybody."""

import dataclasses
import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Callable

from aws import signed

WHO = "anna"


@dataclasses.dataclass(frozen=True)
class Made:
    """A change: when its last call was due, sent and answered, by the monotonic clock."""

    due: float
    sent: float
    answered: float


class Gateway:
    """A connection to awsim, kept open."""

    def __init__(self, url: str) -> None:
        self._host = urllib.parse.urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(self._host, timeout=60)

    def ask(self, verb: str, path: str, body: dict | None = None) -> dict:
        headers = {"Authorization": signed("apigateway", WHO), "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        self._connection.request(verb, path, body=data, headers=headers)
        answer = self._connection.getresponse()
        payload = answer.read()
        if answer.status >= 300:
            raise ConnectionError(f"{verb} {path}: {answer.status} {payload.decode(errors='replace')}")
        return json.loads(payload)

    def apis(self) -> list[str]:
        """The ids of all APIs."""
        found, position = [], ""
        while True:
            page = self.ask("GET", f"/restapis?limit=500{position}")
            found += [api["id"] for api in page["item"]]
            if not page.get("position"):
                return found
            position = "&position=" + urllib.parse.quote(page["position"])


Change = Callable[[Gateway, str], float]


def untraced(gateway: Gateway, api: str) -> float:
    """A stage's tracing goes off, which is live at once: one call."""
    off = {"op": "replace", "path": "/tracingEnabled", "value": "false"}
    sent = time.monotonic()
    gateway.ask("PATCH", f"/restapis/{api}/stages/prod", {"patchOperations": [off]})
    return sent


def in_clear_text(gateway: Gateway, api: str) -> float:
    """An integration calls http:// and is deployed: two calls, of which the second is what counts."""
    resources = gateway.ask("GET", f"/restapis/{api}/resources?embed=methods&limit=500")["item"]
    resource, verb = next((r["id"], verb) for r in resources for verb in r.get("resourceMethods", {}))
    plain = {"op": "replace", "path": "/uri", "value": "http://payments.internal.example.com"}
    gateway.ask("PATCH", f"/restapis/{api}/resources/{resource}/methods/{verb}/integration", {"patchOperations": [plain]})
    sent = time.monotonic()
    gateway.ask("POST", f"/restapis/{api}/deployments", {"stageName": "prod"})
    return sent


class Driver:
    """Makes a change to each of some APIs."""

    def __init__(self, url: str, change: Change, hands: int = 8) -> None:
        self._url, self._change, self._hands = url, change, hands
        self.made: dict[str, Made] = {}
        self._failure: Exception | None = None

    def run(self, apis: list[str], rate: float) -> dict[str, Made]:
        """So many a second, however long each takes: as many hands as it needs, each for its share of the moments."""
        begin = time.monotonic() + 0.2
        hands = [
            threading.Thread(target=self._hand, args=(apis[at :: self._hands], begin + at / rate, self._hands / rate), daemon=True)
            for at in range(self._hands)
        ]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        if self._failure:
            raise self._failure
        return self.made

    def _hand(self, apis: list[str], first: float, every: float) -> None:
        try:
            gateway = Gateway(self._url)
            for number, api in enumerate(apis):
                due = first + number * every
                time.sleep(max(0.0, due - time.monotonic()))
                sent = self._change(gateway, api)
                self.made[api] = Made(due, sent, time.monotonic())
        except (OSError, http.client.HTTPException) as error:
            self._failure = error

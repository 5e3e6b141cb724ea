"""AWS for the bench: API Gateway by awsim, in a process of its own, and STS by ten lines."""

import contextlib
import http.server
import json
import os
import pathlib
import threading
import urllib.request

from cluster import Child, Watchdog
from meter import Live

ACCOUNT = "111122223333"
REGION = "eu-west-1"
STAGES = ("prod", "staging")
METHODS = 10

IDENTITY = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::{ACCOUNT}:user/bench</Arn><UserId>AIDABENCH</UserId><Account>{ACCOUNT}</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""


class Sts:
    """Answers every question with who the caller is, and counts them."""

    def __init__(self) -> None:
        self.asked = 0
        sts = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sts.asked += 1
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = IDENTITY.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silence."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Awsim:
    """awsim with a fleet, which is compliant. Each stage has a deployment of its own, the dearest case to read."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path, watchdog: Watchdog, apis: int) -> None:
        seed = folder / f"fleet-{apis}.json"
        seed.write_text(json.dumps(fleet(apis)))
        words = ["--listen", "127.0.0.1:0", "--account", ACCOUNT, "--region", REGION, "--seed", seed]
        self._child = Child("awsim", [program, *words], folder / f"awsim-{apis}.log", watchdog)
        self._child.await_ready(lambda: "listening on" in self._child.tail(), deadline=120)
        self.url = self._child.tail().partition("listening on ")[2].split()[0]
        self.pid = self._child.pid
        self.live = Live(self.pid)

    def close(self) -> None:
        self._child.stop()

    def calls(self) -> list[dict]:
        """Every call since it was last told to forget."""
        return self._control("GET")["calls"]

    def by_operation(self) -> dict[str, int]:
        return self._control("GET")["byOperation"]

    def forget(self) -> None:
        self._control("DELETE")

    def deliver(self, queue: str) -> None:
        """From here on every write of everybody goes to a queue, as a trail and EventBridge would send it."""
        ask(f"{self.url}/_awsim/deliver", "PUT", body=json.dumps({"queueUrl": queue}))

    def _control(self, verb: str) -> dict:
        return json.loads(ask(f"{self.url}/_awsim/calls", verb))


def ask(url: str, verb: str = "GET", body: str | None = None, **headers: str) -> bytes:
    """One request over loopback, past any proxy."""
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, method=verb, data=data, headers=headers)
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.closing(straight.open(request, timeout=60)) as answer:
        return answer.read()


def signed(service: str, who: str) -> str:
    """An Authorization header of somebody in the account. Nobody here checks the signature; awsim reads the name out of the key."""
    scope = f"AKIA{ACCOUNT}{who.upper()}/20260101/{REGION}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"


def fleet(apis: int) -> dict:
    """With tags, access logs and tracing, as the policies want them."""
    logs = {
        "destinationArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:payments-access",
        "format": "$context.requestId $context.status",
    }
    return {
        "fleet": {
            "apis": apis,
            "stages": STAGES,
            "methods": METHODS,
            "namePrefix": "payments-api-",
            "tags": {"team": "payments"},
            "integrationUri": "https://payments.internal.example.com",
            "stage": {"tracingEnabled": True, "accessLogSettings": logs},
            "deploymentPerStage": True,
        }
    }


def environment(awsim: Awsim, sts: Sts) -> dict[str, str]:
    """What a program finds of AWS, and nothing of whatever account this machine can reach."""
    return {
        "HOME": os.devnull,
        "PATH": os.environ["PATH"],
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": f"AKIA{ACCOUNT}BENCH",
        "AWS_SECRET_ACCESS_KEY": "not checked here",
        "AWS_ENDPOINT_URL_API_GATEWAY": awsim.url,
        "AWS_ENDPOINT_URL_CLOUDTRAIL": awsim.url,
        "AWS_ENDPOINT_URL_STS": sts.url,
        "NO_PROXY": "127.0.0.1,localhost",
    }

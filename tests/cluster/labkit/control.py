"""The page on which a test, in whatever language, takes the API server away and brings it back.

    GET  /healthz              200
    POST /restart-apiserver    200 when it is ready again, with the seconds that took
    POST /stop-apiserver       200 when it is gone
    POST /crash-apiserver      the same, with SIGKILL
    POST /start-apiserver      200 when it is ready
    POST /restart-controller-manager    200 when it is at work: its garbage collector then knows all kinds
"""

import http.server
import json
import threading
from collections.abc import Callable

from .errors import LabError


class Control:
    """An HTTP server on loopback, one request at a time, in a thread of its own."""

    def __init__(self, actions: dict[str, Callable[[], object]]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200 if self.path == "/healthz" else 404, {})

            def do_POST(self) -> None:
                action = actions.get(self.path)
                if action is None:
                    self._answer(404, {"error": f"no such action; there are {', '.join(actions)}"})
                    return
                try:
                    self._answer(200, {"seconds": action()})
                except LabError as error:
                    self._answer(500, {"error": str(error)})

            def _answer(self, status: int, body: dict[str, object]) -> None:
                payload = json.dumps(body).encode() + b"\n"
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                """Silence: the lab's own output is short."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

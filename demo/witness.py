"""A witness between the controller and S3: it passes everything on and notes when each object was safely stored.

S3 tells times in whole seconds. To prove that a record was there *before* a repair, more is needed: the witness notes
S3's 200 before the controller learns of it, and awsim notes when each write arrives, by the same clock.
"""

import dataclasses
import datetime
import http.client
import http.server
import threading
import urllib.parse

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect", "server", "date"}


@dataclasses.dataclass(frozen=True)
class Stored:
    """An object that S3 took."""

    bucket: str
    key: str
    time: datetime.datetime


class Witness:
    """An HTTP proxy on loopback, in threads of its own."""

    def __init__(self, target: str) -> None:
        host = urllib.parse.urlsplit(target).netloc
        self._stored: list[Stored] = []
        note = self._note

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _pass_on(self) -> None:
                body = self._body()
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
                onward = http.client.HTTPConnection(host, timeout=30)
                try:
                    onward.request(self.command, self.path, body=body, headers=headers)
                    answer = onward.getresponse()
                    payload = answer.read()
                except OSError as error:
                    self.send_error(502, str(error))
                    return
                finally:
                    onward.close()
                note(self.command, self.path, answer.status)
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(payload))
                self.send_header("Content-Length", length)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(payload)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on

            def _body(self) -> bytes | None:
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    length = int(self.headers.get("Content-Length", 0))
                    return self.rfile.read(length) if length else None
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass  # trailers
                return body

            def log_message(self, *_: object) -> None:
                """Silence: what matters is noted."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def _note(self, verb: str, path: str, status: int) -> None:
        where = urllib.parse.urlsplit(path)
        bucket, _, key = urllib.parse.unquote(where.path).lstrip("/").partition("/")
        if verb == "PUT" and key and status == 200:
            self._stored.append(Stored(bucket, key, datetime.datetime.now(datetime.UTC)))

    def stored(self, bucket: str, ending: str) -> Stored | None:
        """When an object whose key ends so was first stored."""
        return next((s for s in list(self._stored) if s.bucket == bucket and s.key.endswith(ending)), None)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

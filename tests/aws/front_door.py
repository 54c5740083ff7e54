"""What stands in for CloudFront: static files from their bucket, everything else from the API.

It does what the distribution's behaviours say (infra/cdk/application/site.py): sends the origin's
key along, tells who asked, and passes no host on. The emulator's own distribution serves nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import mimetypes
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_NOT_PASSED = {"host", "connection", "x-origin-key", "x-vigil-address"}


@dataclass(frozen=True)
class Behind:
    """Where it asks: the emulator's port, the API's host, its key, and the bucket."""

    port: int
    host: str
    key: str
    static: Callable[[str], bytes | None]


@contextlib.contextmanager
def front_door(behind: Callable[[], Behind]) -> Iterator[str]:
    """Serve on a free port of loopback as long as the block; gives the address."""

    class Door(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: pytest shows what fails."""

        def _answer(self) -> None:
            there = behind()
            if self.path.startswith("/static/"):
                content = there.static(self.path.partition("?")[0].lstrip("/"))
                kind = mimetypes.guess_type(self.path)[0] or "application/octet-stream"
                self._send(
                    200 if content is not None else 404, content or b"", [("Content-Type", kind)]
                )
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _NOT_PASSED
            }
            headers |= {
                "Host": there.host,
                "X-Origin-Key": there.key,
                "X-Vigil-Address": str(self.client_address[0]),
            }
            asked = http.client.HTTPConnection("127.0.0.1", there.port, timeout=120)
            gone = (http.client.HTTPException, ConnectionError, TimeoutError)
            with contextlib.closing(asked), contextlib.suppress(*gone):
                asked.request(self.command, self.path, body, headers)
                answer = asked.getresponse()
                passed = [
                    (name, value)
                    for name, value in answer.getheaders()
                    if name.lower() not in {"connection", "transfer-encoding", "content-length"}
                ]
                self._send(answer.status, answer.read(), passed)

        def _send(self, status: int, content: bytes, headers: list[tuple[str, str]]) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

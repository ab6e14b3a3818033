"""A server on loopback that sends scripted responses, with any fault of a network."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any, Final

# How long a silent response is held back; longer than the client's timeout.
SILENCE_SECONDS: Final = 2.5
# Requests that Snowflake's client sends in the background.
_ASIDE: Final = frozenset({"POST /session", "POST /telemetry/send"})
# Between two bytes of a dripping response.
DRIP_SECONDS: Final = 0.1
# The content length of an empty body that never comes.
PROMISED_BYTES: Final = 100


@dataclass(frozen=True)
class Answer:
    """One response. `cut` closes the connection in the middle of the body, `silent` sends nothing.

    `dripping` sends the body byte by byte, each well within every timeout.
    """

    status: int = 200
    body: str = "{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False
    dripping: bool = False


class Server:
    """Sends the responses of the script in order, and then the last one again; records requests.

    Requests for a token always succeed and are counted separately.
    """

    def __init__(self, url: str, script: Sequence[Answer]) -> None:
        self.url = url
        self.asked: list[str] = []
        self.tokens = 0
        self._script = list(script)
        self._lock = threading.Lock()
        self.is_over = threading.Event()

    def recover(self, answer: Answer) -> None:
        """Send this response from now on."""
        with self._lock:
            self._script = [answer]

    def next_answer(self, asked: str) -> Answer:
        with self._lock:
            if asked in _ASIDE:
                return Answer(body='{"success": true}')
            if "token" in asked:
                self.tokens += 1
                return Answer(body=json.dumps({"access_token": f"t{self.tokens}"}))
            self.asked.append(asked)
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]


@contextmanager
def misbehaving(*script: Answer) -> Iterator[Server]:
    """A server with this script; it stops at the end of the block."""

    def drip(file: BufferedIOBase, body: bytes) -> None:
        with suppress(OSError):  # The client has gone.
            for byte in body:
                file.write(bytes([byte]))
                if server.is_over.wait(DRIP_SECONDS):
                    return

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = server.next_answer(f"{self.command} {self.path.partition('?')[0]}")
            if answer.silent:
                server.is_over.wait(SILENCE_SECONDS)
                self.close_connection = True
                return
            body = answer.body.encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            promised = len(body) or (PROMISED_BYTES if answer.cut else 0)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            if answer.dripping:
                drip(self.wfile, body)
            else:
                self.wfile.write(body[: len(body) // 2] if answer.cut else body)
            self.close_connection = answer.cut

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - its names

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name
            """Log nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server = Server(f"http://127.0.0.1:{listener.server_address[1]}", script)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        listener.shutdown()
        thread.join()
        listener.server_close()

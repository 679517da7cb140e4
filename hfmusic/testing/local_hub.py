"""A Hub to rehearse on: an HTTP server on 127.0.0.1 that huggingface_hub, transformers, datasets and evaluate create
repositories on, push to and load from.

It is a test double, written from what these clients ask; the Hub itself does far more, and checks more. No Xet: its
clients must run with HF_HUB_DISABLE_XET=1. Behind `hfmusic hub --root DIR`; in tests:

    with LocalHub(tmp_path) as hub:
        environment = os.environ | hub.environment()
"""

from __future__ import annotations

import hmac
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hfmusic.testing.local_hub_api import USER, HubApi
from hfmusic.testing.local_hub_messages import Answer, Request
from hfmusic.testing.local_hub_store import HubError, HubStore

TOKEN = "hf_rehearsal"  # known to all: it opens nothing but this server
MAX_BYTES = 5 * 2**30  # of a request's body
_CHUNK = 2**20
_DRAINED = 2**26  # bytes of a refused body that are read all the same


class LocalHub:
    """The server, in threads of this process; serves from `start()` (or `with`) to `close()`.

    Args:
        root: folder of its repositories; what is there from before is served again.
        port: 0: any that is free.
        token: the one that writes; any other is refused.
        max_bytes: of a request's body; larger ones are refused with 413.

    Raises:
        ValueError: the folder holds something else, or the port is taken; one sentence.
    """

    def __init__(self, root: str | Path, *, port: int = 0, token: str = TOKEN, max_bytes: int = MAX_BYTES) -> None:
        self.store, self.token, self.max_bytes = HubStore(root), token, max_bytes
        api = HubApi(self.store)

        class Handler(_Handler):
            hub, routes = self, api

        try:
            self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            self.store.close()
            raise ValueError(f"port {port} of 127.0.0.1 cannot be used ({error.strerror})") from None
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread: threading.Thread | None = None

    def environment(self) -> dict[str, str]:
        """What clients need in their environment, before they are imported."""
        switches = dict.fromkeys(("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY"), "1")
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": self.token, **switches}

    def serve(self) -> None:
        """Answer until interrupted, then close."""
        try:
            self._server.serve_forever()
        finally:
            self._server.server_close()
            self.store.close()

    def start(self) -> LocalHub:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop; what was committed stays on disk."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self.store.close()

    def __enter__(self) -> LocalHub:
        return self.start()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    """HTTP around the routes: tokens, limits, ranges."""

    hub: LocalHub
    routes: HubApi
    protocol_version = "HTTP/1.1"
    server_version = "hfmusic-rehearsal-hub"
    timeout = 120  # seconds in which a client must go on

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: links may hold keys."""

    def _handle(self) -> None:
        self._unread, self._taken = True, 0
        try:
            answer = self.routes.answer(self._request())
        except HubError as error:
            told = {"X-Error-Message": str(error)} | ({"X-Error-Code": error.code} if error.code else {})
            answer = Answer({"error": str(error)}, error.status, told)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except Exception as error:  # a server answers; what went wrong in it is its own name, not the request's text
            answer = Answer({"error": f"the rehearsal Hub failed: {type(error).__name__}"}, 500)
        try:
            self._settle()
            self._send(answer)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        return Request(
            self.command,
            parts.path,
            parse_qs(parts.query),
            self.hub.url,
            self._user(),
            self._pieces,
            self.headers.get("Content-Type", ""),
        )

    def _user(self) -> str | None:
        given = self.headers.get("Authorization")
        if given is None:
            return None
        if not hmac.compare_digest(given.encode(), f"Bearer {self.hub.token}".encode()):
            raise HubError(401, "Invalid credentials in Authorization header")
        return USER

    def _pieces(self) -> Iterator[bytes]:
        """The body in pieces.

        Raises:
            HubError: 413, it is larger than allowed; 400, it ends too early.
        """
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        length = self.headers.get("Content-Length", "0")
        if not chunked and not length.isdigit():
            raise HubError(400, "Content-Length is not a number")
        if not chunked and int(length) > self.hub.max_bytes:
            raise HubError(413, f"at most {self.hub.max_bytes:,} bytes a request, got {int(length):,}")
        total = 0
        for piece in self._chunks() if chunked else self._exactly(int(length)):
            total += len(piece)
            if total > self.hub.max_bytes:
                raise HubError(413, f"at most {self.hub.max_bytes:,} bytes a request")
            yield piece
        self._unread = False

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            piece = self.rfile.read(min(length, _CHUNK))
            if not piece:
                raise HubError(400, "the body ended too early")
            length -= len(piece)
            self._taken += len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while True:
            try:
                size = int(self.rfile.readline(100).split(b";")[0], 16)
            except ValueError:
                raise HubError(400, "the body's chunks have no sizes") from None
            yield from self._exactly(size)
            self.rfile.readline(100)
            if size == 0:
                return

    def _settle(self) -> None:
        """A body that nobody read would be taken for the next request: the connection ends, but first it is read, up to
        `_DRAINED`, as a client that still writes would not hear the answer.
        """
        length = self.headers.get("Content-Length", "0")
        if self._unread and ("Transfer-Encoding" in self.headers or length != "0"):
            left = min(int(length) - self._taken, _DRAINED) if length.isdigit() else 0
            while left > 0 and (piece := self.rfile.read(min(left, _CHUNK))):
                left -= len(piece)
            self.close_connection = True

    def _send(self, answer: Answer) -> None:
        if answer.file is not None:
            return self._send_file(answer.file, answer.headers)
        body = answer.body if answer.body is not None else json.dumps(answer.value).encode()
        self.send_response(answer.status)
        for name, value in ({"Content-Type": "application/json"} | answer.headers).items():
            self.send_header(name, value.replace("\n", " "))
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, path: Path, headers: dict[str, Any]) -> None:
        size = path.stat().st_size
        begin, end = self._range(size)
        whole = (begin, end) == (0, size)
        self.send_response(200 if whole else 206)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        if not whole:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.end_headers()
        if self.command == "HEAD":
            return
        with path.open("rb") as file:
            file.seek(begin)
            if whole:
                shutil.copyfileobj(file, self.wfile, _CHUNK)
            else:
                for start in range(begin, end, _CHUNK):
                    self.wfile.write(file.read(min(_CHUNK, end - start)))

    def _range(self, size: int) -> tuple[int, int]:
        """First byte and the one after the last of what `Range` asks for; all, where it asks for nothing sensible."""
        unit, _, text = self.headers.get("Range", "").partition("=")
        first, dash, last = text.partition("-")
        if unit != "bytes" or not dash or not (first + last).isdigit() or not size:
            return 0, size
        if not first:
            return max(0, size - int(last)), size
        begin = int(first)
        end = min(int(last) + 1, size) if last else size
        return (begin, end) if begin < end else (0, size)

"""HTTP/1.1 on the loopback interface, over the standard library's server: a thread for each
connection, whose requests can go wrong in every way without any other noticing.
"""

import contextlib
import errno
import http.server
import io
import logging
import re
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from kaleido_tf.errors import InputError
from kaleido_tf.serving.page_server import limits
from kaleido_tf.serving.page_server.exchange import Answer, Refusal, Request, Route, error_answer

HOST = "127.0.0.1"
_OWN_NAMES = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,15}")
_POLICY = (
    "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; object-src 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_BROKEN = "The server failed at this request; its log says how"
_FULL = "Too many connections. Try again in a moment"

Finder = Callable[[str, str], tuple[Route, Request]]
"""Method, target of a request -> as `Routes.find`."""


class PageServer(socketserver.ThreadingTCPServer):
    """Takes the port at once, and answers once `find` is set and `serve_forever` runs.

    Args: port: 0: any free one. Raises: InputError for a port that cannot be had.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = limits.BACKLOG
    find: Finder

    def __init__(self, port: int):
        self._places = threading.BoundedSemaphore(limits.CONNECTIONS)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "which another program uses" if taken else f"({error.strerror})"
            raise InputError(f"--port: a free port is needed. Received: {port}, {why}") from error

    @property
    def address(self) -> str:
        """For a browser."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def process_request(self, request, client_address) -> None:
        """A thread for a connection, or the door where there are too many."""
        if not self._places.acquire(blocking=False):
            _send_away(request)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except Exception:
            self._places.release()
            raise

    def process_request_thread(self, request, client_address) -> None:
        """Of the base class, and gives the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            logging.exception("a connection failed")


def _send_away(connection: socket.socket) -> None:
    answer = error_answer(HTTPStatus.SERVICE_UNAVAILABLE, _FULL)
    head = (
        f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: {answer.kind}\r\nRetry-After: 5\r\n"
        f"Content-Length: {len(answer.content)}\r\nConnection: close\r\n\r\n"
    )
    connection.settimeout(1)
    with contextlib.suppress(OSError):
        connection.sendall(head.encode() + answer.content)


class _Timed(io.RawIOBase):
    """What a connection sends, up to a point in time, however slowly it drips."""

    def __init__(self, connection: socket.socket):
        self._connection, self._end = connection, 0.0

    def allow(self, seconds: float) -> None:
        """From now on so long."""
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, room) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the client is too slow")
        self._connection.settimeout(left)
        return self._connection.recv_into(room)


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = 0  # what is written is sent within the time of the connection, or fails
    disable_nagle_algorithm = True
    server: PageServer

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._timed = _Timed(self.connection)
        self.rfile = io.BufferedReader(self._timed)

    def handle(self) -> None:
        # A client went away, or did not take its answer.
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def handle_one_request(self) -> None:
        self._timed.allow(limits.REQUEST_SECONDS)
        self._unread, self._continues = False, False
        super().handle_one_request()

    def handle_expect_100(self) -> bool:
        self._continues = True  # said once the body is wanted
        return True

    def _respond(self) -> None:
        self._unread = self._has_body()
        try:
            answer = self._answer()
        except Refusal as refusal:
            answer = error_answer(refusal.status, str(refusal), refusal.headers)
        except InputError as error:
            answer = error_answer(HTTPStatus.BAD_REQUEST, str(error))
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            logging.exception("%s %r failed", self.command, self.path[:200])
            answer = error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, _BROKEN)
        self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _respond

    def _answer(self) -> Answer:
        self._check_names()
        route, request = self.server.find(self.command, self.path)
        if route.most_bytes:
            body = self._body(route.most_bytes)
            request = Request(request.path, request.parameters, body)
        elif self._unread:
            raise InputError(f"{self.command} without a body is needed. Received: one with a body")
        return route.answer(request)

    def _check_names(self) -> None:
        """Pages of other sites can let a browser ask this server, under a name that they point here
        or in their own; neither is answered.
        """
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not _OWN_NAMES.fullmatch(hosts[0]):
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"This page is for this machine alone: {HOST} or localhost is needed as Host."
                f" Received: {', '.join(hosts)[:60] or 'none'}",
            )
        origin = self.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{hosts[0]}".lower():
            message = f"Requests of other pages are not answered. Received: one of {origin[:60]}"
            raise Refusal(HTTPStatus.FORBIDDEN, message)

    def _has_body(self) -> bool:
        lengths = self.headers.get_all("Content-Length", [])
        return "Transfer-Encoding" in self.headers or any(each.strip() != "0" for each in lengths)

    def _body(self, most: int) -> bytes:
        """Raises: Refusal (411, 413), InputError, ConnectionError for a client that went away."""
        lengths = {each.strip() for each in self.headers.get_all("Content-Length", [])}
        if "Transfer-Encoding" in self.headers or not lengths:
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "A Content-Length is needed. Received: none")
        length = lengths.pop()
        if lengths or not _LENGTH.fullmatch(length):
            raise InputError(f"One Content-Length is needed. Received: {length[:20]!r}")
        if int(length) > most:
            message = f"At most {most} bytes are needed. Received: {int(length)}"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        if int(length) == 0:
            raise InputError("A photo is needed. Received: 0 bytes")
        if self._continues:
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
            self.wfile.flush()
        return self._read(int(length))

    def _read(self, length: int) -> bytes:
        self._timed.allow(limits.REQUEST_SECONDS)
        try:
            body = self.rfile.read(length)
        except TimeoutError as error:
            message = f"{length} bytes are needed within {limits.REQUEST_SECONDS:.0f} seconds"
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, message) from error
        if len(body) < length:
            raise ConnectionError("the client went away")
        self._unread = False
        return body

    def _send(self, answer: Answer) -> None:
        if self._unread:
            self.close_connection = True  # else the body would be taken for the next request
        self.connection.settimeout(limits.REQUEST_SECONDS)
        self.send_response(answer.status)
        given = {"Content-Type": answer.kind, "Cache-Control": answer.cached, **answer.headers}
        given["Content-Length"] = str(len(answer.content))
        if self.close_connection:
            given["Connection"] = "close"
        for name, value in {**_HEADERS, **given}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)
        self.wfile.flush()
        if self._unread:
            self._drain()

    def _drain(self) -> None:
        """Takes what is still on its way: a connection that is closed before would reset, and its
        sender never see the answer.
        """
        self.connection.shutdown(socket.SHUT_WR)
        self._timed.allow(limits.DRAINED_SECONDS)
        left = limits.DRAINED_BYTES
        with contextlib.suppress(ConnectionError, TimeoutError):
            while left > 0 and (part := self.rfile.read1(1 << 16)):
                left -= len(part)

    def send_error(self, code: int, message: str | None = None, explain=None) -> None:
        """Of the base class, for what is no request at all; in the form of all errors."""
        self.close_connection = True
        self._send(error_answer(code, message or HTTPStatus(code).phrase))

    def version_string(self) -> str:
        """Whose server it is, without versions."""
        return "kaleido_tf"

    def log_message(self, format: str, *arguments) -> None:
        """Requests are not listed."""

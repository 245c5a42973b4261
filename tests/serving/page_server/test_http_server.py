"""HTTP as clients get it wrong, slowly, all at once, or with ill intent."""

import concurrent.futures
import http.client
import json
import time

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.serving.page_server import http_server, limits
from kaleido_tf.serving.page_server.exchange import Refusal, Request, Route, json_answer
from kaleido_tf.serving.page_server.http_server import HOST, PageServer
from tests.page_servers import ask, ask_json, connected, port_of, raw, running

MOST = 1000
LARGE = 30_000_000


def broken(request):
    raise KeyError("a secret of the server")


TABLE = {
    "/": Route(lambda request: json_answer(dict(request.parameters))),
    "/body": Route(lambda request: json_answer(len(request.body)), MOST),
    "/broken": Route(broken),
    "/large": Route(lambda request: json_answer("x" * LARGE)),
    "/slow": Route(lambda request: time.sleep(0.4) or json_answer("slow")),
}


def find(method, target):
    if method not in ("GET", "HEAD", "POST"):
        raise Refusal(405, f"not {method}", {"Allow": "GET"})
    if target == "/wrong":
        raise InputError("something is needed. Received: nothing")
    return TABLE[target], Request(target, {})


@pytest.fixture(scope="module")
def server():
    with running(find) as server:
        yield server


@pytest.fixture
def impatient(monkeypatch):
    """A server that waits 0.7 seconds for a request, a body, and an answer to be taken."""
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.7)
    with running(find) as server:
        yield server


def head(method="GET", target="/", version="HTTP/1.1", **headers):
    lines = [f"{method} {target} {version}", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


def test_every_answer_has_the_headers_that_keep_a_page_safe(server):
    for target in ("/", "/wrong", "/broken"):
        headers = ask(server, target)[1]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Server"] == "kaleido_tf"


def test_a_connection_answers_many_requests(server):
    connection = http.client.HTTPConnection(HOST, port_of(server), timeout=20)
    for target in ("/", "/wrong", "/broken", "/"):
        connection.request("GET", target)
        first = connection.sock
        connection.getresponse().read()
        assert connection.sock is first is not None
    connection.close()


def test_head_is_get_without_content(server):
    status, headers, content = ask(server, "/", "HEAD")
    assert (status, content) == (200, b"") and headers["Content-Length"] == "2"


def test_a_body_is_read_to_its_length(server):
    assert ask_json(server, "/body", "POST", b"x" * MOST) == (200, MOST)
    both = head("POST", "/body", Content_Length=3) + b"abc" + head(Connection="close")
    assert raw(server, both).count(b"HTTP/1.1 200") == 2


def test_what_is_wrong_is_told_and_nothing_of_the_server(server, caplog):
    assert ask_json(server, "/wrong")[1] == {"error": "something is needed. Received: nothing"}
    status, answer = ask_json(server, "/broken")
    assert status == 500 and "secret" not in str(answer) and "log" in answer["error"]
    assert "a secret of the server" in caplog.text and "'/broken'" in caplog.text
    assert ask_json(server, "/")[0] == 200
    status, headers, _ = ask(server, "/", "DELETE")
    assert status == 405 and headers["Allow"] == "GET"


@pytest.mark.parametrize(
    "request_, status",
    [
        (b"nonsense\r\n\r\n", 0),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a b\r\n\r\n", 0),
        (head(version="HTTP/9.9"), 0),
        (head("BREW"), 501),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (head(Long="a" * 70_000), 431),
        (head(**{f"H{number}": number for number in range(120)}), 431),
        (head("POST", "/body"), 411),
        (head("POST", "/body", Transfer_Encoding="chunked"), 411),
        (head("POST", "/body", Content_Length="-1"), 400),
        (head("POST", "/body", Content_Length="1e3"), 400),
        (head("POST", "/body", Content_Length="9" * 400), 400),
        (head("POST", "/body", Content_Length="3\r\nContent-Length: 4"), 400),
        (head("POST", "/body", Content_Length=MOST + 1), 413),
        (head("POST", "/body", Content_Length=MOST + 1, Expect="100-continue"), 413),
        (head("POST", "/body", Content_Length=0), 400),
        (head(Content_Length=3), 400),
        (head("PUT", Content_Length=3), 405),
    ],
)
def test_what_is_no_request_is_refused(server, request_, status):
    answer = raw(server, request_ + head(Connection="close") * (status == 400), b"x" * 200_000)
    if status:
        assert status_of(answer) == status
    assert b"error" in answer and b"Traceback" not in answer
    assert ask_json(server, "/")[0] == 200


def test_a_body_is_asked_for_before_it_is_sent(server):
    with connected(server) as connection:
        connection.sendall(head("POST", "/body", Content_Length=5, Expect="100-continue"))
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abcde")
        answer = b""
        while not answer.endswith(b"\r\n\r\n5"):
            part = connection.recv(10_000)
            assert part, answer
            answer += part


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:80", "127.0.0.1@x", ""])
def test_other_names_of_this_machine_are_not_answered(server, host):
    status, answer = ask_json(server, "/", headers={"Host": host})
    assert status == 421 and "this machine alone" in answer["error"]


def test_requests_of_other_pages_are_not_answered(server):
    own = {"Host": "localhost:81", "Origin": "http://localhost:81"}
    assert ask_json(server, "/", headers=own)[0] == 200
    for origin in ("http://evil.example", "null", "http://localhost:82", "https://localhost:81"):
        assert ask_json(server, "/", headers={**own, "Origin": origin})[0] == 403
    twice = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert status_of(raw(server, twice)) == 421


def test_slow_clients_are_left_and_hold_nobody_up(impatient):
    drips = [connected(impatient) for _ in range(9)]
    for number, connection in enumerate(drips):
        connection.sendall(head("POST", "/body", Content_Length=9)[: 20 + 9 * number])
    start = time.monotonic()
    assert ask_json(impatient, "/")[0] == 200
    assert time.monotonic() - start < 0.6
    for connection in drips:  # all but the last: within the headers
        with connection:
            while connection.recv(1000):
                pass
    assert time.monotonic() - start < 5
    late = raw(impatient, head("POST", "/body", Content_Length=9) + b"abc")
    assert status_of(late) == 408 and b"9 bytes" in late


def test_clients_that_do_not_take_their_answer_are_left(impatient, caplog):
    with connected(impatient) as connection:
        connection.sendall(head(target="/large"))
        end, taken = time.monotonic() + 1, 0
        while time.monotonic() < end:
            taken += len(connection.recv(1))
            time.sleep(0.1)
        while part := connection.recv(1 << 20):
            taken += len(part)
    assert taken < LARGE and caplog.text == ""
    assert len(ask(impatient, "/large")[2]) == LARGE + 2


def test_clients_that_go_away_leave_no_trace(server, caplog):
    for request in (b"GE", head("POST", "/body", Content_Length=9) + b"abc", head(target="/slow")):
        connected(server).close()
        connection = connected(server)
        connection.sendall(request)
        connection.close()
    time.sleep(0.6)
    assert ask_json(server, "/")[0] == 200
    assert caplog.text == ""


def test_fifty_at_once_for_a_while(server):
    end = time.monotonic() + 1.5

    def client(_):
        connection, answered = http.client.HTTPConnection(HOST, port_of(server), timeout=20), 0
        while time.monotonic() < end:
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"{}")
            answered += 1
        connection.close()
        return answered

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        assert min(pool.map(client, range(50))) > 0


def test_more_connections_than_there_are_places_are_sent_away(monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS", 2)
    with running(find) as server:
        kept = [connected(server) for _ in range(2)]
        answer = raw(server, b"")
        assert status_of(answer) == 503
        assert "Too many" in json.loads(answer.split(b"\r\n\r\n")[1])["error"]
        for connection in kept:
            connection.sendall(head(Connection="close"))
            while connection.recv(1000):
                pass
            connection.close()
        end = time.monotonic() + 10
        while ask_json(server, "/")[0] != 200:
            assert time.monotonic() < end


def test_a_port_in_use_is_told():
    with PageServer(0) as first:
        port = port_of(first)
        with pytest.raises(InputError, match=f"--port: a free port .* {port}, which another"):
            PageServer(port)
        assert first.address == f"http://127.0.0.1:{port}/"
    assert http_server.HOST == "127.0.0.1"

"""A search page's server in a thread, over drawn products, and clients for it."""

import contextlib
import http.client
import json
import socket
import threading

from kaleido_tf.serving.page_server.http_server import HOST, PageServer
from kaleido_tf.serving.page_server.pictures import open_pictures
from kaleido_tf.serving.page_server.routes import Routes
from tests import drawn_catalogue
from tests.word_searcher import WordSearcher, write_index_of


def drawn_shop(folder):
    """(manifest, searcher) of the seven drawn products."""
    manifest = drawn_catalogue.write_catalogue(folder / "shop")
    return manifest, WordSearcher(write_index_of(manifest, folder / "index"), manifest)


def shop_routes(folder):
    """What a page of the drawn products answers."""
    manifest, searcher = drawn_shop(folder)
    return Routes(searcher, open_pictures(str(manifest)))


@contextlib.contextmanager
def running(find):
    """A server that answers what `find` finds."""
    with PageServer(0) as server:
        server.find = find
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def port_of(server):
    return server.server_address[1]


def ask(server, target, method="GET", body=None, headers=None):
    """(status, headers, content) of one request."""
    connection = http.client.HTTPConnection(HOST, port_of(server), timeout=20)
    try:
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def ask_json(server, target, method="GET", body=None, headers=None):
    """(status, content) of one request."""
    status, found, content = ask(server, target, method, body, headers)
    assert found["Content-Type"] == "application/json; charset=utf-8", content[:200]
    return status, json.loads(content)


def connected(server):
    return socket.create_connection((HOST, port_of(server)), timeout=20)


def raw(server, request, more=b""):
    """All that comes back for bytes, until the server closes. Args: more: sent after them."""
    with connected(server) as connection:
        connection.sendall(request)
        with contextlib.suppress(ConnectionError):
            connection.sendall(more)
        parts = []
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1 << 16):
                parts.append(part)
        return b"".join(parts)

"""Which address and method are answered by what."""

import urllib.parse
from http import HTTPStatus

from kaleido_tf.errors import InputError
from kaleido_tf.serving.page_server.exchange import Refusal, Request, Route, json_answer
from kaleido_tf.serving.page_server.limits import PHOTO_BYTES
from kaleido_tf.serving.page_server.parameters import check_names, parse_parameters
from kaleido_tf.serving.page_server.pictures import Pictures
from kaleido_tf.serving.page_server.schema import SCHEMA
from kaleido_tf.serving.page_server.search_api import SearchApi
from kaleido_tf.serving.page_server.static_files import static_routes

PHOTOS = "/photo/"


class Routes:
    """All that the server answers. Args: as `SearchApi`."""

    def __init__(self, searcher, pictures: Pictures | None):
        api = SearchApi(searcher, pictures)
        self._photos = {"GET": Route(api.photo)}
        self._table = {
            **static_routes(),
            "/api/search": {"GET": Route(api.search), "POST": Route(api.search, PHOTO_BYTES)},
            "/api/words": {"GET": Route(api.words)},
            "/api/fields": {"GET": Route(api.fields)},
            "/api/schema": {"GET": Route(_schema)},
        }

    def find(self, method: str, target: str) -> tuple[Route, Request]:
        """What answers a request, and the request without its body; HEAD is as GET.

        Raises: Refusal (404, 405), InputError for an address or parameters that are none.
        """
        path, _, query = target.partition("?")
        path = _decoded(path)
        methods = self._photos if path.startswith(PHOTOS) else self._table.get(path)
        if methods is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"There is nothing at {path[:60]!r}")
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = ", ".join(["HEAD", *methods])
            message = f"{path[:60]} takes {allowed}. Received: {method[:20]}"
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, message, {"Allow": allowed})
        return route, Request(path, parse_parameters(query))


def _schema(request: Request):
    check_names(request.parameters, ())
    return json_answer(SCHEMA)


def _decoded(path: str) -> str:
    try:
        return urllib.parse.unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise InputError(f"An address in UTF-8 is needed. Received: {path[:60]!r}") from error

"""The files of the page itself, which come with the package."""

import pathlib

from kaleido_tf.serving.page_server.exchange import Answer, Route

_FOLDER = pathlib.Path(__file__).parent / "static"
_SCRIPT = "text/javascript; charset=utf-8"
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", _SCRIPT),
    "/product.js": ("product.js", _SCRIPT),
    "/server.js": ("server.js", _SCRIPT),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_CACHED = "no-cache"


def static_routes() -> dict[str, dict[str, Route]]:
    """Address -> GET. The files are read now, and by nobody's wish later."""
    routes = {}
    for address, (name, kind) in _FILES.items():
        answer = Answer((_FOLDER / name).read_bytes(), kind, cached=_CACHED)
        routes[address] = {"GET": Route(lambda _, answer=answer: answer)}
    return routes

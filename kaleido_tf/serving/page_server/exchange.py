"""A request and its answer, free of how they travel."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus

JSON = "application/json; charset=utf-8"
NOT_KEPT = "no-store"


@dataclasses.dataclass(frozen=True)
class Request:
    """Attributes: path: decoded. parameters: of the URL, each once. body: b"" unless sent."""

    path: str
    parameters: Mapping[str, str]
    body: bytes = b""


@dataclasses.dataclass(frozen=True)
class Answer:
    """Attributes: kind: its media type. cached: value of Cache-Control. headers: further ones."""

    content: bytes
    kind: str = JSON
    status: int = HTTPStatus.OK
    cached: str = NOT_KEPT
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Route:
    """What one method of one address does. Attributes: most_bytes: of a body; 0: it takes none."""

    answer: Callable[[Request], Answer]
    most_bytes: int = 0


class Refusal(Exception):
    """A request that is not answered as it asks; what an InputError says is one of status 400."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})


def json_answer(content, status: int = HTTPStatus.OK, headers=None) -> Answer:
    """`content` as JSON."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return Answer(text.encode("utf-8", "replace"), status=status, headers=headers or {})


def error_answer(status: int, message: str, headers=None) -> Answer:
    """Every error has this form."""
    return json_answer({"error": message}, status, headers)

"""Reads the parameters of a request, each within its bounds. All raise InputError."""

import math
import urllib.parse
from collections.abc import Collection, Mapping

from kaleido_tf.errors import InputError

_MOST = 20
"""Parameters of a request."""


def parse_parameters(query: str) -> dict[str, str]:
    """What stands behind the `?` of a URL, each name once, in UTF-8."""
    try:
        pairs = urllib.parse.parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=_MOST
        )
    except UnicodeDecodeError as error:
        raise InputError(f"Parameters must be UTF-8. Received: {query[:60]!r}") from error
    except ValueError as error:
        raise InputError(f"At most {_MOST} parameters are allowed. Received more") from error
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise InputError(f"Each parameter is needed once. Received: {name[:60]!r} twice")
        given[name] = value
    return given


def check_names(parameters: Mapping[str, str], known: Collection[str]) -> None:
    """Refuses a parameter that nobody would look at."""
    for name in parameters:
        if name not in known:
            raise InputError(f"Parameters are {', '.join(known)}. Received: {name[:60]!r}")


def text_of(parameters: Mapping[str, str], name: str, longest: int) -> str | None:
    """A text of at most `longest` characters, without outer blanks; None for none or a blank."""
    text = parameters.get(name, "").strip()
    if len(text) > longest:
        raise InputError(f"{name}: at most {longest} characters are allowed. Received: {len(text)}")
    return text or None


def needed_text(parameters: Mapping[str, str], name: str, longest: int) -> str:
    """As `text_of`, but there must be one."""
    text = text_of(parameters, name, longest)
    if text is None:
        raise InputError(f"{name}: a text is needed. Received: none, or a blank one")
    return text


def whole_number(
    parameters: Mapping[str, str], name: str, lowest: int, highest: int, default: int | None
) -> int | None:
    """A number from `lowest` to `highest`."""
    text = parameters.get(name, "")
    if not text:
        return default
    # Length first: int() of a million digits takes a while.
    number = int(text) if len(text) < 10 and text.isascii() and text.isdigit() else -1
    if not lowest <= number <= highest:
        raise InputError(
            f"{name}: a whole number from {lowest} to {highest} is needed. Received: {text[:60]!r}"
        )
    return number


def share_of(parameters: Mapping[str, str], name: str) -> float:
    """A number from 0 to 1; 0 where nothing is said."""
    text = parameters.get(name, "")
    try:
        number = float(text[:60] or 0)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise InputError(f"{name}: a number from 0 to 1 is needed. Received: {text[:60]!r}")
    return number

"""Which files beside an ONNX file hold weights of it: read from its bytes, so that a digest covers
them and one that is missing is named.

ONNX is protobuf: a message is a row of fields, each a key (number and kind), then its value. Only
the fields on the way to the weights are looked at.
"""

from collections.abc import Iterator

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LOCATION = b"location"

# message -> field number -> message inside it, as onnx.proto numbers them
_WAY: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}


def external_files(content: bytes) -> list[str]:
    """The places, relative to the ONNX file, of the files that its weights lie in; each once.

    Args: content: bytes of a ModelProto; of anything else the answer means nothing.
    Raises: ValueError for bytes that are no protobuf message.
    """
    return sorted(set(_locations(memoryview(content), "model")))


def _locations(message: memoryview, kind: str) -> Iterator[str]:
    if kind == "entry":  # key and value, both text
        entry = dict(_fields(message))
        if bytes(entry.get(1, b"")) == _LOCATION:
            yield bytes(entry.get(2, b"")).decode(errors="replace")
        return
    inside = _WAY[kind]
    for number, value in _fields(message):
        if number in inside:
            yield from _locations(value, inside[number])


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(number, value) of every field that is a text, bytes or message."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            _, place = _varint(message, place)
        elif kind == _BYTES:
            length, place = _varint(message, place)
            if place + length > len(message):
                raise ValueError("a field is cut off")
            yield key >> 3, message[place : place + length]
            place += length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            place += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field of kind {kind}")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """(number, place behind it): seven bits a byte, the lowest first."""
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place
    raise ValueError("a number is cut off")

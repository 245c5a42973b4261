"""Whether the data of a photo reach its last pixel, whatever bytes a broken download ends with.

Decoders are patient: from an end marker that a proxy put back, or from zeros in the space that was
reserved for the rest, they make a grey or flat lower part without a word. The rows of an
uncompressed BMP or TIFF are right whatever they are, and GIF has an end of its own.
"""

import io
import re
import zlib

import numpy as np
from PIL import Image

_ZEROS_OF_VP8 = 64  # bytes at the end; arithmetic coding makes no such runs
_ZEROS_OF_VP8L = 256  # prefix codes can, in an even picture
# A decoder reads ahead by a machine word before it decodes the last block.
_READ_AHEAD = bytes(8)
_RUN = 16  # equal bytes at the end of a scan: filled space, or an even picture
_LAST_BLOCKS = 512  # bytes; more than the blocks of one place take, and less than filled space
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")  # not a stuffed 0xff, not a restart
_STAND_ALONE = frozenset((0x01, 0xD8, *range(0xD0, 0xD8)))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9


def load_whole(image: Image.Image, content: bytes) -> Image.Image:
    """Decodes an opened image; `content` are the bytes that it was opened from.

    Returns: the image, or another of the same pixels and metadata. Raises: OSError if the data end
    before the picture does, and what Pillow raises.
    """
    if image.format in ("JPEG", "MPO"):
        return _load_jpeg(image, content)
    if image.format == "WEBP":
        _check_webp(content)
    elif image.format == "PNG":
        _check_png(content)
    elif image.format == "AVIF" and not content[-_ZEROS_OF_VP8:].strip(b"\0"):
        raise OSError(f"its data end in {_ZEROS_OF_VP8} zeros")
    image.load()
    return image


def _check_png(content: bytes) -> None:
    """Holds the data against their check sums, which Pillow leaves aside."""
    place = 8  # after the signature
    while place + 8 <= len(content):
        size, name = (
            int.from_bytes(content[place : place + 4], "big"),
            content[place + 4 : place + 8],
        )
        end = place + 8 + size
        if (
            name == b"IDAT"
            and zlib.crc32(content[place + 4 : end]).to_bytes(4, "big") != (content[end : end + 4])
        ):
            raise OSError("its check sum is another")
        place = end + 4


def _check_webp(content: bytes) -> None:
    place = 12  # after "RIFF", the size, and "WEBP"
    while place + 8 <= len(content):
        name, size = (
            content[place : place + 4],
            int.from_bytes(content[place + 4 : place + 8], "little"),
        )
        zeros = {b"VP8 ": _ZEROS_OF_VP8, b"VP8L": _ZEROS_OF_VP8L}.get(name)
        tail = content[place + 8 : place + 8 + size][-zeros:] if zeros else b""
        if zeros and len(tail) == zeros and not tail.strip(b"\0"):
            raise OSError(f"its data end in {zeros} zeros")
        place += 8 + size + size % 2


def _load_jpeg(image: Image.Image, content: bytes) -> Image.Image:
    """One scan is decoded without its end marker: Pillow then asks for more data where they are
    needed, and says so, instead of making them up.
    """
    scans, frame = _scans(content)
    if not scans:
        image.load()
        return image
    begin, end = scans[-1]
    ended = content[end : end + 1] == b"\xff"
    data = content[begin:end]
    padded = len(data) > _RUN and len(set(data[-_RUN:])) == 1
    if len(scans) > 1:
        return _load_progressive(image, content, scans, frame, padded)
    if padded and not ended:
        data = data.rstrip(data[-1:])
    whole = _opened(content[:begin] + data + _READ_AHEAD)
    whole.load()
    # An even picture needs its run to the end; a noisy one needs many bytes for its last blocks.
    rest = 2 * _RUN if padded and ended else _LAST_BLOCKS
    if (padded or not ended) and len(data) > 2 * rest:
        ahead = data[-len(_READ_AHEAD) :] if padded else _READ_AHEAD
        if _loads(content[:begin] + data[:-rest] + ahead):
            raise OSError(f"its last {rest} bytes or more belong to no pixel")
    return whole


def _loads(content: bytes) -> bool:
    try:
        _opened(content).load()
    except OSError:
        return False
    return True


def _opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=["JPEG"])


def _load_progressive(image, content, scans, components, padded: bool) -> Image.Image:
    """Several scans: all bits of all coefficients must come, and those of the last scan to its end:
    more data there change nothing.
    """
    _check_scans(content, scans, components)
    image.load()
    end = scans[-1][1]
    longer = content[:end] + _other_data(4096) + content[end:]
    if not _same_pixels(image, longer):
        raise OSError("the data of its last scan end early")
    if (
        padded
        and end - scans[-1][0] > 2 * _LAST_BLOCKS
        and _same_pixels(image, content[: end - _LAST_BLOCKS] + content[end:])
    ):
        raise OSError(f"its last {_LAST_BLOCKS} bytes or more belong to no pixel")
    return image


def _same_pixels(image: Image.Image, content: bytes) -> bool:
    other = _opened(content)
    other.load()
    return np.array_equal(np.asarray(image), np.asarray(other))


def _other_data(count: int) -> bytes:
    """Bytes like those of a scan, without any marker."""
    return np.random.default_rng(0).integers(0, 0xFF, count, np.uint8).tobytes()


def _check_scans(content: bytes, scans: list[tuple[int, int]], components: int) -> None:
    """Raises: OSError if a coefficient of a component lacks bits (or the component its scans)."""
    lowest: dict[tuple[int, int], int] = {}  # (component, coefficient) -> bits that are missing
    for begin, _ in scans:
        header = _scan_header(content, begin)
        count = header[0]
        first, last, bits = header[1 + 2 * count : 4 + 2 * count]
        for component in header[1 : 1 + 2 * count : 2]:
            for coefficient in range(first, min(last, 63) + 1):
                lowest[component, coefficient] = bits & 15
    if len(lowest) < 64 * components or any(lowest.values()):
        raise OSError("scans that refine the picture are missing")


def _scan_header(content: bytes, begin: int) -> bytes:
    """What stands between the length of a scan's header and its data, which begin at `begin`."""
    for count in (1, 2, 3, 4):
        length = 6 + 2 * count
        if content[begin - length : begin - length + 3] == bytes((0, length, count)):
            return content[begin - length + 2 : begin]
    raise OSError("a scan without a header")


def _scans(content: bytes) -> tuple[list[tuple[int, int]], int]:
    """([(begin, end) of the entropy-coded data of each scan of the first picture], number of
    components); the last one may end with the file.
    """
    scans, components, place = [], 0, 2
    while match := _MARKER.match(content, place):
        marker, place = match[0][-1], match.end()
        if marker == _END:
            break
        if marker in _STAND_ALONE:
            continue
        length = int.from_bytes(content[place : place + 2], "big")
        if marker in _FRAMES:
            components = content[place + 7] if place + 7 < len(content) else 0
        place += length
        if marker == _SCAN:
            following = _MARKER.search(content, place)
            end = following.start() if following else len(content)
            scans.append((place, end))
            place = end
    return scans, components

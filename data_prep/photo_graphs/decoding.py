"""JPEG and PNG bytes to the pixels of `kaleido_tf.files.images.read_image`, in TensorFlow's
operations. What these would decode to other pixels fails instead.

H, W = height and width in pixels, after the EXIF orientation is applied; n = bytes looked at.
"""

import tensorflow as tf

LOOKED_AT = 2**18
"""Bytes at the beginning of a photo in which its orientation and colour profile are looked for."""
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_BIG_ENDIAN = (2**24, 2**16, 2**8, 1)
_SIDEWAYS = (5, 6, 7, 8)
"""Orientations that exchange rows and columns."""
_UPSIDE_DOWN, _MIRRORED = (3, 4, 7, 8), (2, 3, 6, 7)
"""Those that then turn the order of the rows, and of the columns."""


def decode(content: tf.Tensor) -> tf.Tensor:
    """Bytes, a string scalar -> [H, W, 3] uint8 RGB.

    Transparent pixels are laid on white. Fails (InvalidArgumentError) for anything but JPEG and
    PNG, CMYK, more or fewer than 8 bits a channel, profiles of other colours than sRGB's, an
    orientation that XMP alone names, and damaged data.
    """
    is_jpeg = tf.strings.substr(content, 0, len(_JPEG)) == _JPEG
    is_png = tf.strings.substr(content, 0, len(_PNG)) == _PNG
    header = tf.io.decode_raw(tf.strings.substr(content, 0, LOOKED_AT), tf.uint8)
    with tf.control_dependencies(
        [_check(is_jpeg | is_png, "a JPEG or PNG", "another kind of data")]
    ):
        pixels = tf.cond(is_jpeg, lambda: _jpeg(content, header), lambda: _png(content, header))
    return _turned(pixels, _orientation(header))


def _check(fine, needed: str, received: str):
    return tf.debugging.Assert(fine, [f"photo: {needed} is needed. Received: {received}"])


def _jpeg(content, header):
    profile = _holds(header, b"ICC_PROFILE\0")
    checks = [
        _check(tf.io.extract_jpeg_shape(content)[2] < 4, "a photo in RGB or grey", "CMYK"),
        _check_colours(~profile | _names_srgb(header)),
    ]
    with tf.control_dependencies(checks):
        return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")


def _png(content, header):
    bits = tf.strings.substr(content, len(_PNG) + 16, 1)  # in the chunk that every PNG begins with
    checks = [
        _check(bits == b"\x08", "a photo of 8 bits a channel", "another number of bits"),
        _check_colours(_png_names_srgb(content, header)),
    ]
    with tf.control_dependencies(checks):
        return _on_white(tf.cast(tf.io.decode_png(content, channels=4), tf.int32))


def _check_colours(fine):
    return _check(fine, "a photo in sRGB", "one with another colour profile")


def _names_srgb(profile):
    """Whether the bytes [n] of a profile name sRGB, in one byte a letter or in two."""
    return _holds(profile, b"sRGB") | _holds(profile, b"s\0R\0G\0B")


def _png_names_srgb(content, header):
    """True without a profile. One stands packed behind its name, a zero and a number."""
    begins = _places_after(header, b"iCCP")

    def unpacked():
        place = begins[0]
        length = tf.reduce_sum(tf.cast(header[place - 8 : place - 4], tf.int32) * _BIG_ENDIAN)
        name = tf.cast(tf.where(header[place:] == 0)[0, 0], tf.int32) + 2
        packed = tf.strings.substr(content, place + name, length - name)
        return _names_srgb(tf.io.decode_raw(tf.io.decode_compressed(packed, "ZLIB"), tf.uint8))

    return tf.cond(tf.size(begins) > 0, unpacked, lambda: True)


def _on_white(pixels):
    """[H, W, 4] int32 -> [H, W, 3] uint8, in Pillow's whole numbers."""
    colours, alpha = pixels[..., :3], pixels[..., 3:]
    total = (colours * alpha + 255 * (255 - alpha) + 128) * 128
    return tf.cast(((total // 256 + total) // 256) // 128, tf.uint8)


def _orientation(header):
    """1 to 8, as EXIF numbers them; 1 where none is named."""
    little = _after(header, b"\x12\x01\x03\x00\x01\x00\x00\x00")
    big = _after(header, b"\x01\x12\x00\x03\x00\x00\x00\x01\x00")
    named = tf.concat([little, big], 0)
    exif = (_holds(header, b"Exif\0\0") | _holds(header, b"eXIf")) & (tf.size(named) > 0)
    first = tf.cast(tf.concat([named, [1]], 0)[0], tf.int32)
    orientation = tf.where(exif & (first >= 1) & (first <= 8), first, 1)
    beside = [_after(header, b"tiff:Orientation" + sign) for sign in (b'="', b">")]
    straight = tf.reduce_all(tf.concat(beside, 0) == ord("1"))
    needed = "an orientation in the EXIF block"
    with tf.control_dependencies([_check(exif | straight, needed, "one in its XMP block alone")]):
        return tf.identity(orientation)


def _turned(pixels, orientation):
    def among(numbers):
        return tf.reduce_any(orientation == tf.constant(numbers))

    pixels = tf.cond(among(_SIDEWAYS), lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    pixels = tf.cond(among(_UPSIDE_DOWN), lambda: pixels[::-1], lambda: pixels)
    return tf.cond(among(_MIRRORED), lambda: pixels[:, ::-1], lambda: pixels)


def _after(header, pattern: bytes):
    """The bytes that follow each place of `pattern` in the header [n] uint8."""
    return tf.gather(tf.pad(header, [[0, 1]]), _places_after(header, pattern))


def _holds(header, pattern: bytes):
    return tf.size(_places_after(header, pattern)) > 0


def _places_after(header, pattern: bytes):
    """Where each occurrence of `pattern` in the header [n] uint8 ends."""
    padded, count = tf.pad(header, [[0, len(pattern)]]), tf.size(header)
    same = [padded[n : n + count] == byte for n, byte in enumerate(pattern)]
    ends = tf.cast(tf.where(tf.reduce_all(same, axis=0))[:, 0], tf.int32) + len(pattern)
    return tf.boolean_mask(ends, ends <= count)

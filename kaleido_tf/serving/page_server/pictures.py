"""The photos of a catalogue as JPEG, by their ids. What is asked is looked up among the ids of the
catalogue's photos and never becomes a path.
"""

import collections
import io
import logging
import os
import threading
from collections.abc import Collection
from http import HTTPStatus

from PIL import Image

from data_prep.catalogue.products import ProductImage
from data_prep.catalogue.reading import read_catalogue
from kaleido_tf.errors import InputError
from kaleido_tf.search.index_folder import Index
from kaleido_tf.serving.page_server.exchange import Refusal
from kaleido_tf.serving.page_server.limits import TURN_SECONDS
from kaleido_tf.serving.page_server.turns import Turns

QUALITY = 82
KEPT_BYTES = 64 << 20
"""Of pictures that were made, the ones used last."""
AT_ONCE = 2
"""Photos that are decoded at once: one of 50 million pixels takes some hundred MB."""


def open_pictures(catalogue: str | None) -> "Pictures | None":
    """The photos of a catalogue; a line of it that is no product has none. Raises: InputError as
    `read_catalogue`.
    """
    if not catalogue:
        return None
    products = read_catalogue(catalogue, skip_unusable=True).products
    path = os.path.expanduser(catalogue)
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    return Pictures((image for product in products for image in product.images), folder or ".")


def check_shows(pictures: "Pictures | None", index: Index, catalogue: str | None) -> None:
    """Raises: InputError for a catalogue that has no photo of the index."""
    if pictures is None:
        return
    items = (item for row, item in enumerate(index.items) if index.alive[row])
    if not any(item["image_id"] in pictures for item in items):
        raise InputError(
            f"--catalogue: the catalogue of {index.folder} is needed. Received: {catalogue}, which"
            " has none of its photos"
        )


class Pictures:
    """Args: folder: outside of which no file is read, wherever a link or a catalogue leads."""

    def __init__(self, images: Collection[ProductImage], folder: str):
        self._images = {image.image_id: image for image in images}
        self._folder = os.path.realpath(folder)
        self._made: collections.OrderedDict[tuple[str, int], bytes] = collections.OrderedDict()
        self._bytes, self._lock = 0, threading.Lock()
        self._turns = Turns(AT_ONCE, TURN_SECONDS)

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._images

    def jpeg(self, image_id: str, long_side: int) -> bytes:
        """A photo of at most `long_side` pixels a side. Raises: Refusal (404) where there is none,
        or none that can be shown.
        """
        if image_id not in self._images:
            raise Refusal(HTTPStatus.NOT_FOUND, f"There is no photo {image_id[:60]!r}")
        key = image_id, long_side
        made = self._kept(key)
        if made is None:
            with self._turns.turn():
                made = self._kept(key)  # by another thread, while this one waited
                if made is None:
                    made = self._new(self._images[image_id], long_side)
                    self._keep(key, made)
        return made

    def _new(self, image: ProductImage, long_side: int) -> bytes:
        try:
            self._check_place(image)
            picture = Image.fromarray(image.load())
        except (InputError, OSError) as error:
            logging.warning("photo %r: %s", image.image_id, error)
            message = f"The photo {image.image_id!r} cannot be shown; the server's log says why"
            raise Refusal(HTTPStatus.NOT_FOUND, message) from error
        picture.thumbnail((long_side, long_side))
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=QUALITY)
        return stream.getvalue()

    def _check_place(self, image: ProductImage) -> None:
        """Links are followed here: a catalogue may lead anywhere, a server may not."""
        if image.path is None:
            return  # part of a file that was opened as the catalogue
        path = os.path.realpath(image.path)
        if os.path.commonpath([self._folder, path]) != self._folder:
            raise InputError(f"A file in {self._folder} is needed. Received: {path}")

    def _kept(self, key: tuple[str, int]) -> bytes | None:
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
            return self._made.get(key)

    def _keep(self, key: tuple[str, int], made: bytes) -> None:
        with self._lock:
            self._made[key] = made
            self._bytes += len(made)
            while self._bytes > KEPT_BYTES and len(self._made) > 1:
                self._bytes -= len(self._made.popitem(last=False)[1])

"""Photos of a catalogue as small pictures within the page."""

import base64
import dataclasses
import io
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from kaleido_tf.serving.markup import Markup, tag

LONG_SIDE = 160
"""Pixels."""
QUALITY = 75
NO_CATALOGUE = "no photos: --catalogue was not given"


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photo of a product: the product's title, and what reads it as [H, W, 3] uint8 RGB."""

    title: str
    load: Callable[[], np.ndarray]


class Photos:
    """The photos of a catalogue by their ids, and its texts by product; without a catalogue (None)
    there are none.
    """

    def __init__(self, photos: Mapping[str, Photo] | None, texts: Mapping[str, str] | None = None):
        self._photos, self._texts, self._made = photos, texts or {}, {}

    @property
    def note(self) -> str | None:
        """Why there are none."""
        return NO_CATALOGUE if self._photos is None else None

    def text(self, product_id: str) -> str:
        """The text of a product, "" where it is not known."""
        return self._texts.get(product_id, "")

    def named(self, image_id: str, product_id: str) -> Markup:
        """The title of the photo's product, as far as it is known, and the product's id."""
        title = self._photos[image_id].title if image_id in (self._photos or {}) else ""
        shown = [tag("strong", title), " "] if title else []
        return tag("p", *shown, tag("code", product_id))

    def pixels(self, image_id: str) -> np.ndarray | None:
        """[H, W, 3] uint8 RGB, or None for a photo that the catalogue lacks. Raises: InputError as
        the photo's `load`.
        """
        photo = (self._photos or {}).get(image_id)
        return photo.load() if photo else None

    def shown(self, image_id: str, product_id: str) -> Markup | None:
        """An `img`, a line that says the catalogue lacks it, or None without a catalogue. Raises:
        InputError as the photo's `load`.
        """
        if self._photos is None:
            return None
        if image_id not in self._photos:
            return tag("p", f"The catalogue has no photo {image_id}.", class_="missing")
        if image_id not in self._made:
            self._made[image_id] = _picture(self._photos[image_id], product_id)
        return self._made[image_id]


def _picture(photo: Photo, product_id: str) -> Markup:
    picture = Image.fromarray(photo.load())
    picture.thumbnail((LONG_SIDE, LONG_SIDE))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    named = f"{photo.title} (product {product_id})" if photo.title else f"product {product_id}"
    return tag(
        "img",
        src=f"data:image/jpeg;base64,{data}",
        alt=f"Photo of {named}",
        width=picture.width,
        height=picture.height,
    )

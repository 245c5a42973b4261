"""The searches of the page as JSON. What the answers hold stands in schema.py."""

import time
from collections.abc import Mapping
from http import HTTPStatus

from kaleido_tf.errors import InputError
from kaleido_tf.files.images import check_image, read_image
from kaleido_tf.search.index_folder import Index
from kaleido_tf.serving.answers import Found, Query
from kaleido_tf.serving.page_server import limits
from kaleido_tf.serving.page_server.exchange import Answer, Refusal, Request, json_answer
from kaleido_tf.serving.page_server.facets import facets_of
from kaleido_tf.serving.page_server.parameters import (
    check_names,
    needed_text,
    share_of,
    text_of,
    whole_number,
)
from kaleido_tf.serving.page_server.pictures import Pictures
from kaleido_tf.serving.page_server.turns import Turns

PARAMETERS = ("text", "like", "filter", "top", "rerank", "min_probability")
_PHOTO = "the photo that was sent"


class SearchApi:
    """Args: searcher: `serving.searcher.Searcher`, or what has its methods and attributes.
    pictures: None without a catalogue.
    """

    def __init__(self, searcher, pictures: Pictures | None):
        self._searcher, self._pictures = searcher, pictures
        self._facts_of: tuple[Index, dict] | None = None
        self._turns = Turns(1, limits.TURN_SECONDS)

    def _facts(self) -> dict:
        """Of the index as it is now."""
        index = self._searcher.index
        if self._facts_of is None or self._facts_of[0] is not index:
            self._facts_of = index, self._facts_about(index)
        return self._facts_of[1]

    def _facts_about(self, index: Index) -> dict:
        searcher = self._searcher
        return {
            "products": int((index.photos_of_products > 0).sum()),
            "photos": int(index.alive.sum()),
            "shows_photos": self._pictures is not None,
            "takes_photos": searcher.takes_photos,
            "tells_words": searcher.tells_words,
            "has_probabilities": searcher.has_probabilities,
            "limits": limits.as_json(),
            "fields": [facet.as_json() for facet in facets_of(index)],
        }

    def fields(self, request: Request) -> Answer:
        """The fields that filters can ask for, and what else a page needs to know at first."""
        check_names(request.parameters, ())
        return json_answer(self._facts())

    def search(self, request: Request) -> Answer:
        """Products for words, a photo (the body), both, or for a product."""
        given = request.parameters
        check_names(given, PARAMETERS)
        asked = {
            "text": text_of(given, "text", limits.TEXT),
            "like": text_of(given, "like", limits.IDENTIFIER),
            "filter": text_of(given, "filter", limits.FILTER),
            "top": self._top(given),
            "rerank": whole_number(given, "rerank", 0, limits.RERANK, 0),
            "min_probability": share_of(given, "min_probability"),
        }
        self._check(asked, request.body)
        liked = self._product(asked["like"]) if asked["like"] else None
        start = time.perf_counter()
        with self._turns.turn():
            # Decoded within the turn, so that no more than one is in memory.
            photo = read_image(request.body, _PHOTO, limits.PHOTO_PIXELS) if request.body else None
            found = self._searcher.find(Query(**asked, photo=photo))
        return json_answer(
            {
                "query": {**asked, "photo": bool(request.body)},
                "liked": liked,
                "count": len(found),
                "found": [self._shown(each) for each in found],
                "milliseconds": round(1000 * (time.perf_counter() - start), 1),
            }
        )

    def words(self, request: Request) -> Answer:
        """How much each word of a text speaks for a photo."""
        check_names(request.parameters, ("text", "image_id"))
        text = needed_text(request.parameters, "text", limits.TEXT)
        image_id = needed_text(request.parameters, "image_id", limits.IDENTIFIER)
        if not self._searcher.tells_words:
            raise InputError(
                "The model of this index does not compare words with parts of a photo, so it cannot"
                " say which words speak for one"
            )
        with self._turns.turn():
            weights = self._searcher.speaking_words(text, image_id)
        words = [{"word": word, "weight": float(weight)} for word, weight in weights]
        return json_answer({"text": text, "image_id": image_id, "words": words})

    def photo(self, request: Request) -> Answer:
        """A photo of the catalogue as JPEG."""
        check_names(request.parameters, ("size",))
        bounds = limits.SMALLEST, limits.LARGEST
        size = whole_number(request.parameters, "size", *bounds, limits.LARGEST)
        if self._pictures is None:
            raise Refusal(
                HTTPStatus.NOT_FOUND,
                "There are no photos: the page was started without a catalogue",
            )
        image_id = request.path.removeprefix("/photo/")
        content = self._pictures.jpeg(image_id, size)
        return Answer(content, "image/jpeg", cached="private, max-age=300")

    def _top(self, given: Mapping[str, str]) -> int | None:
        top = whole_number(given, "top", 1, limits.TOP, None)
        return None if top is None else min(top, self._facts()["products"])

    def _check(self, asked: Mapping, photo: bytes) -> None:
        """What can be said before a turn comes. Raises: InputError."""
        if asked["like"] and (asked["text"] or photo):
            raise InputError("like: is asked alone. Received: words or a photo beside it")
        if not asked["like"] and not asked["text"] and not photo:
            raise InputError("Words, a photo, or a product (like) are needed. Received: none")
        if asked["min_probability"] and not (asked["text"] and self._searcher.has_probabilities):
            lacks = (
                "words are needed" if self._searcher.has_probabilities else "this index has none"
            )
            raise InputError(f"min_probability: {lacks}")
        if photo:
            if not self._searcher.takes_photos:
                raise InputError("This index cannot be searched with a photo")
            check_image(photo, _PHOTO, limits.PHOTO_PIXELS)

    def _product(self, product_id: str) -> dict:
        """A product of the index, as it is shown. Raises: InputError without it."""
        index = self._searcher.index
        rows, missing = index.rows_of([product_id])
        if missing:
            raise InputError(f"like: a product of the index is needed. Received: {product_id!r}")
        fields = dict(index.items[int(rows[0])])
        ids = [fields.pop(name) for name in ("product_id", "image_id")]
        return self._described(*ids, fields)

    def _shown(self, found: Found) -> dict:
        probability = found.probability
        return {
            **self._described(found.product_id, found.image_id, found.fields),
            "score": float(found.score),
            "probability": None if probability is None else float(probability),
        }

    def _described(self, product_id: str, image_id: str, fields: Mapping) -> dict:
        shown = self._pictures is not None and image_id in self._pictures
        own = {"product_id": product_id, "image_id": image_id, "has_photo": shown}
        return {**own, "fields": {k: v for k, v in fields.items() if k not in own}}

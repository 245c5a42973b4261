"""The probabilities of an index: what share of the answers to held-out texts was right, by their
scores.

Q = queries, k = products shown, N = photos.
"""

import dataclasses

import numpy as np

from kaleido_tf.command_line.gallery import Gallery, gallery_of
from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.progress import Progress
from kaleido_tf.search.calibration import SHOWN, Calibration, fit_calibration
from kaleido_tf.search.gallery_recall import groups_by_text
from kaleido_tf.search.ranking import best_products
from kaleido_tf.serving.answers import RERANKED, TEXT
from kaleido_tf.serving.recorded_photos import RecordedPhotos
from kaleido_tf.serving.reranking import Reranking

SCORED_AGAIN = 200
"""Queries whose answers the whole model scores, which takes its time."""


@dataclasses.dataclass(frozen=True)
class Answers:
    """`photos` [Q, k] into the gallery, `scores` [Q, k] and `right` [Q, k] bool: the best products
    for held-out texts, the best first; `products` among which they were found.
    """

    photos: np.ndarray
    scores: np.ndarray
    right: np.ndarray
    products: int

    def fitted(self) -> Calibration:
        """Raises: InputError as `fit_calibration`."""
        return fit_calibration(self.scores, self.right, self.products)

    def verdict(self, calibration: Calibration) -> str:
        """What it says of the first answers, and what they were."""
        said = calibration.probability(self.scores, self.products)[:, 0].mean()
        return (
            f"calibrated on {len(self.scores)} held-out queries among {self.products} products:"
            f" calibration error {calibration.error:.2%}, first answers {said:.1%} by probability,"
            f" {self.right[:, 0].mean():.1%} right"
        )


def answers(gallery: Gallery) -> Answers:
    """What a search of a held-out gallery answers to its texts. An answer is right if it is the
    text's product, or one of the same text.
    """
    photos, texts = gallery.sides["photos"], gallery.sides["texts"]
    asked, owners = groups_by_text(texts, photos)
    names, products = np.unique(np.asarray(photos.products, str), return_inverse=True)
    rows = np.arange(len(products))
    found = [
        best_products(rows, scores, products, min(SHOWN, len(names)))
        for block in gallery.scores("txt2img", gallery.hubness is not None)
        for scores in block
    ]
    shown, scores = (np.stack(part) for part in zip(*found))
    return Answers(shown, scores, owners[shown] == asked[:, None], len(names))


def answers_again(
    first: Answers, model: VectorModel, table: RecordTable, gallery: Gallery
) -> Answers:
    """The same, scored by the whole model, for some of the queries."""
    reranking = Reranking(model, RecordedPhotos([table]))
    count = min(SCORED_AGAIN, len(first.photos))
    chosen = np.unique(np.linspace(0, len(first.photos) - 1, count).astype(int))
    images = table.image_ids[gallery.records["photos"]]
    texts = table.texts[gallery.records["texts"]]
    scores = []
    with Progress("scoring answers again", len(chosen), "queries") as progress:
        for query in chosen:
            photos = [reranking.photos.read(image) for image in images[first.photos[query]]]
            row = texts[query]
            text = table.sequences[row][None], table.lengths[row][None]
            scores.append(reranking.with_photos(text, photos))
            progress.done(1)
    order = np.argsort(-np.stack(scores), axis=1, kind="stable")
    parts = (first.photos[chosen], np.stack(scores), first.right[chosen])
    return Answers(*(np.take_along_axis(p, order, axis=1) for p in parts), first.products)


def calibrations(model: VectorModel, table: RecordTable) -> tuple[dict[str, dict], list[str]]:
    """By way of asking what the manifest of an index keeps, and a line about each.

    Args: table: of records that training has not seen.
    Raises: InputError if there are too few of them.
    """
    gallery = gallery_of(model.model, table)
    first = answers(gallery)
    ways = {TEXT: first, RERANKED: answers_again(first, model, table, gallery)}
    fitted = {way: shown.fitted() for way, shown in ways.items()}
    lines = [f"{way}: {shown.verdict(fitted[way])}" for way, shown in ways.items()]
    return {way: one.content() for way, one in fitted.items()}, lines

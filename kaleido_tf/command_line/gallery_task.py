"""Retrieval in the whole gallery: every photo of the records is held against every product's text,
by their vectors, and if asked the best of them again by the whole model.

Q = queries, N = items of the gallery, D = size of a vector.
"""

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np

from kaleido_tf.command_line.session import Session
from kaleido_tf.data.record_table import RecordTable, read_images
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.candidates import Pairs
from kaleido_tf.evaluation.photo_views import mean_over_views, pairs_of_views
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS
from kaleido_tf.evaluation.scoring import candidate_batches, score_batches
from kaleido_tf.evaluation.vectors import Vectors, mean_of_views
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.search.gallery_recall import RANKS, Side, full_gallery_figures, mean_of_six
from kaleido_tf.search.sampled_recall import sampled_figures
from kaleido_tf.training.strategy import make_strategy

NAME = "gallery_retrieval.json"
BLOCK = 256
"""Queries whose scores are in memory at once."""


@dataclasses.dataclass(frozen=True)
class Gallery:
    """The two sides of some records.

    Attributes: records: of photos (their plain view) and of products' texts, each [n] rows of the
      table. sides: products and texts of both. vectors: [n, D] of both. hubness: [n] of both, or
      None.
    """

    records: dict[str, np.ndarray]
    sides: dict[str, Side]
    vectors: dict[str, np.ndarray]
    hubness: dict[str, np.ndarray] | None

    def scores(self, direction: str, corrected: bool) -> Iterator[np.ndarray]:
        """Blocks [q, N] of the queries of a direction, in order."""
        asked, found = _sides_of(direction)
        for start in range(0, len(self.vectors[asked]), BLOCK):
            cosines = self.vectors[asked][start : start + BLOCK] @ self.vectors[found].T
            yield 2 * cosines - self.hubness[found] if corrected else cosines


def _sides_of(direction: str) -> tuple[str, str]:
    return ("photos", "texts") if direction == "img2txt" else ("texts", "photos")


def rank_gallery(
    model, session: Session, table: RecordTable, output: pathlib.Path, rerank: int, batch_size: int
) -> None:
    """Writes and prints the figures of both directions.

    Args: model: with its weights. rerank: how many of the best are scored again by the matcher; 0:
      none. batch_size: of a replica.
    Raises: InputError for more than there are.
    """
    gallery = _gallery(model, table)
    least = min(map(len, gallery.vectors.values()))
    if rerank > least:
        raise InputError(f"--rerank must be at most the gallery, {least}. Received: {rerank}")
    content: dict[str, dict] = {}
    for direction in DIRECTIONS:
        for way, blocks in _ways(gallery, direction):
            content.setdefault(way, {})[direction] = _figures(gallery, direction, blocks)
        if rerank:
            again = _Reranking(model, session, table, gallery, direction, batch_size)
            blocks = [again.scores(np.concatenate(blocks), rerank)]
            content.setdefault(f"reranked_{rerank}", {})[direction] = _figures(
                gallery, direction, blocks
            )
    for figures in content.values():
        figures |= mean_of_six(figures)
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / NAME, content)
    print(_table(content))


def _ways(gallery: Gallery, direction: str) -> Iterator[tuple[str, list[np.ndarray]]]:
    """How vectors are compared, the best way last, and the scores, [Q, N] in blocks."""
    yield "vectors", list(gallery.scores(direction, corrected=False))
    if gallery.hubness is not None:
        yield "corrected", list(gallery.scores(direction, corrected=True))


def _gallery(model, table: RecordTable) -> Gallery:
    vectors = Vectors(model)
    photos = list(table.records_of_photos().values())
    of_photos = np.array([views[0] for views in photos])
    _, of_texts = np.unique(table.product_ids.astype(str), return_index=True)
    rows, features, boxes = read_images(table, np.concatenate(photos))
    found = {
        "photos": mean_of_views(
            vectors.of_photos(features, boxes), [rows[views].tolist() for views in photos]
        ),
        "texts": vectors.of_texts(
            table.sequences[table.texts[of_texts]], table.lengths[table.texts[of_texts]]
        ),
    }
    records = {"photos": of_photos, "texts": of_texts}
    whole = table.whole_texts.astype(str)
    return Gallery(
        records,
        {name: Side(table.product_ids[part], whole[part]) for name, part in records.items()},
        found,
        {
            "photos": vectors.hubness_of_photos(found["photos"]),
            "texts": vectors.hubness_of_texts(found["texts"]),
        }
        if vectors.corrects_hubs
        else None,
    )


@dataclasses.dataclass(frozen=True)
class _Reranking:
    """The best of each query scored again by the whole model."""

    model: object
    session: Session
    table: RecordTable
    gallery: Gallery
    direction: str
    batch_size: int

    def scores(self, scores: np.ndarray, count: int) -> np.ndarray:
        """[Q, N] scores by which the `count` best of each query stand in the matcher's order, and
        the others behind them as they were.
        """
        best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        asked, found = (self.gallery.records[side] for side in _sides_of(self.direction))
        matched = self._matched(np.repeat(asked, count), found[best.ravel()]).reshape(best.shape)
        result = scores - scores.max() - 1
        np.put_along_axis(result, best, matched - matched.min(), axis=1)
        return result

    def _matched(self, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
        """[n] match logits of pairs of records."""
        texts, images = (items, queries) if self.direction == "img2txt" else (queries, items)
        none = np.zeros(len(texts), int)
        viewed, views = pairs_of_views(self.table, Pairs(texts, images, none > 0, none))
        strategy = make_strategy(self.session.run.device)
        batch = self.batch_size * strategy.num_replicas_in_sync
        batches = candidate_batches(self.model, self.table, viewed, batch)
        logits = score_batches(self.model.matcher, strategy, batches, len(viewed.texts))
        return mean_over_views(logits, views)[:, 1]


def _figures(gallery: Gallery, direction: str, blocks: list[np.ndarray]) -> dict:
    sides = [gallery.sides[side] for side in _sides_of(direction)]
    return {**full_gallery_figures(blocks, *sides), **sampled_figures(blocks, *sides)}


def _table(content: dict) -> str:
    lines = []
    for way, figures in content.items():
        for direction in DIRECTIONS:
            one = figures[direction]
            recalls = " / ".join(f"{100 * one[f'full_recall_at_{k}']:.1f}" for k in RANKS)
            lines.append(
                f"{way}, {direction}: {one['full_queries']} queries in a gallery of"
                f" {one['full_gallery']}, full_recall_at_{'/'.join(map(str, RANKS))} {recalls} %,"
                f" full_median_rank {one['full_median_rank']:.0f}"
            )
        lines.append(
            f"{way}: full_mean_of_six_recalls {100 * figures['full_mean_of_six_recalls']:.1f} %"
        )
    return "\n".join(lines)

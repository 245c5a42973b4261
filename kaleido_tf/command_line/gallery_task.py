"""Retrieval in the whole gallery: every photo of the records is held against every product's text,
by their vectors, and if asked the best of them again by the whole model.

Q = queries, N = items of the gallery, D = size of a vector.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Collection, Iterator

import numpy as np

from kaleido_tf.command_line.gallery import Gallery, gallery_of, sides_of
from kaleido_tf.command_line.session import Session
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.candidates import Pairs
from kaleido_tf.evaluation.photo_views import mean_over_views, pairs_of_views
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS
from kaleido_tf.evaluation.scoring import candidate_batches, score_batches
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.search.gallery_recall import RANKS, full_gallery_figures, mean_of_six
from kaleido_tf.search.sampled_recall import sampled_figures
from kaleido_tf.training.strategy import make_strategy

NAME = "gallery_retrieval.json"
Blocks = Callable[[], Iterator[np.ndarray]]
"""Gives the scores [q, N] of the next q queries each; anew at every call."""


def rank_gallery(
    model,
    session: Session,
    table: RecordTable,
    output: pathlib.Path,
    rerank: int,
    batch_size: int,
    asking: Collection[str] | None = None,
) -> None:
    """Writes and prints the figures of both directions.

    Args: model: with its weights. rerank: how many of the best are scored again by the matcher; 0:
      none. batch_size: of a replica. asking: the products that ask; None: all.
    Raises: InputError for more than there are, or a product that is not there.
    """
    least = min(len(set(table.product_ids)), len(set(table.image_ids)))
    if rerank > least:
        raise InputError(f"--rerank must be at most the gallery, {least}. Received: {rerank}")
    gallery = gallery_of(model, table)
    gallery = gallery if asking is None else gallery.asked_by(asking)
    content = vector_figures(gallery)
    if rerank:
        reranked = content[f"reranked_{rerank}"] = {}
        for direction in DIRECTIONS:
            again = _Reranking(model, session, table, gallery, direction, batch_size, rerank)
            blocks = functools.partial(gallery.scores, direction, gallery.hubness is not None)
            reranked[direction] = _figures(gallery, direction, again.of(blocks))
        reranked |= mean_of_six(reranked)
    leave_figures(content, output)


def vector_figures(gallery: Gallery) -> dict[str, dict]:
    """Way (`vectors`, and `corrected` where hubness is known) -> figures of both directions."""
    content: dict[str, dict] = {}
    for way in ["vectors"] + ["corrected"] * (gallery.hubness is not None):
        content[way] = {
            direction: _figures(
                gallery, direction, functools.partial(gallery.scores, direction, way == "corrected")
            )
            for direction in DIRECTIONS
        }
        content[way] |= mean_of_six(content[way])
    return content


def leave_figures(content: dict[str, dict], output: pathlib.Path) -> None:
    """Writes the figures of `vector_figures` and those of other ways, and prints them."""
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / NAME, content)
    print(_table(content))


@dataclasses.dataclass(frozen=True)
class _Reranking:
    """The `count` best of each query scored again by the whole model."""

    model: object
    session: Session
    table: RecordTable
    gallery: Gallery
    direction: str
    batch_size: int
    count: int

    def of(self, blocks: Blocks) -> Blocks:
        """Scores by which the best of each query stand in the matcher's order, and the others
        behind them as they were.
        """
        best = np.concatenate([self._best(block) for block in blocks()])
        asked, found = sides_of(self.direction)
        queries = self.gallery.records[asked][self.gallery.asking[asked]]
        queries = np.repeat(queries, self.count)
        items = self.gallery.records[found][best.ravel()]
        matched = self._matched(queries, items).reshape(best.shape)
        matched -= matched.min()

        def reordered() -> Iterator[np.ndarray]:
            start = 0
            for block in blocks():
                result, part = block - block.max() - 1, slice(start, start + len(block))
                np.put_along_axis(result, best[part], matched[part], axis=1)
                yield result
                start += len(block)

        return reordered

    def _best(self, block: np.ndarray) -> np.ndarray:
        return np.argsort(-block, axis=1, kind="stable")[:, : self.count]

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


def _figures(gallery: Gallery, direction: str, blocks: Blocks) -> dict:
    sides = gallery.queries(direction), gallery.found(direction)
    sampled = sampled_figures(blocks(), *sides, gallery.kinds_of(direction))
    return {**full_gallery_figures(blocks(), *sides), **sampled}


def _table(content: dict) -> str:
    lines = []
    for way, figures in content.items():
        for direction in DIRECTIONS:
            one = figures[direction]
            recalls = " / ".join(f"{100 * one[f'full_recall_at_{k}']:.1f}" for k in RANKS)
            low, high = one["full_recall_at_1_interval"]
            lines.append(
                f"{way}, {direction}: {one['full_queries']} queries in a gallery of"
                f" {one['full_gallery']}, full_recall_at_{'/'.join(map(str, RANKS))} {recalls} %"
                f" (95% of the first {100 * low:.1f} to {100 * high:.1f}), full_median_rank"
                f" {one['full_median_rank']:.0f}; without equal texts full_own_recall_at_1"
                f" {100 * one['full_own_recall_at_1']:.1f} %"
            )
        lines.append(
            f"{way}: full_mean_of_six_recalls {100 * figures['full_mean_of_six_recalls']:.1f} %"
        )
    return "\n".join(lines)

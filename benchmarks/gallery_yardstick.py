"""What a search of the whole gallery finds without any transformer, by the figures of
`pretrain_main.py --protocol=full`:

    python -m benchmarks.gallery_yardstick --train=records/train --test=records/valid

linear contrastive towers, the comparison of words with patches, and the sum of the two, each
corrected for hubs; and, for words against texts, BM25 of every product's title against the texts of
all. With --model the same titles are asked of that model's vectors, which see photos and no text.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from benchmarks.retrieval_yardstick import Products, Yardsticks, read
from kaleido_tf.command import run_command
from kaleido_tf.command_line.gallery import gallery_of
from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.records.shards import read_photos
from kaleido_tf.records.views import PLAIN
from kaleido_tf.search.gallery_recall import RANKS, Side, full_gallery_figures
from kaleido_tf.search.text_baseline import TextSearch

flags.DEFINE_string("model", None, "Folder or checkpoint of a trained model.")
FLAGS = flags.FLAGS


def main(_):
    train, test = read(FLAGS.train), read(FLAGS.test)
    rows = np.flatnonzero(test.table.views == PLAIN)
    side = Side(test.table.product_ids[rows], test.table.whole_texts[rows].astype(str))
    yardsticks = Yardsticks(train, test, FLAGS.ridge)
    for name in ("towers", "words", "sum"):
        scores = yardsticks.scores(name, int(FLAGS.seeds[0])).corrected(FLAGS.neighbours)
        scores = scores[np.ix_(rows, rows)]
        _print(f"{name}, img2txt", scores.T, side)
        _print(f"{name}, txt2img", scores, side)
    _titles(test, rows, side)


def _titles(test: Products, rows: np.ndarray, side: Side) -> None:
    """Titles asked of texts, and of a model's vectors."""
    titles = {record.product_id: record.title for record in read_photos(test.table.files)}
    asked = [titles[product] for product in side.products]
    texts = TextSearch([test.texts[row] for row in rows])
    _print("BM25, titles against texts", np.stack([texts.scores(title) for title in asked]), side)
    if FLAGS.model:
        model = VectorModel(FLAGS.model)
        gallery = gallery_of(model.model, model.open_table(FLAGS.test))
        vectors = model.vectors.of_texts(*model.sequences(asked))
        scores = 2 * vectors @ gallery.vectors["photos"].T
        if gallery.hubness:
            scores -= gallery.hubness["photos"]
        found = gallery.sides["photos"]
        _print("the model, titles against photos", scores, side, found)


def _print(name: str, scores: np.ndarray, asked: Side, found: Side | None = None) -> None:
    figures = full_gallery_figures([scores], asked, found or asked)
    recalls = " / ".join(f"{100 * figures[f'full_recall_at_{k}']:.1f}" for k in RANKS)
    low, high = figures["full_recall_at_1_interval"]
    print(
        f"{name}: full_recall_at_{'/'.join(map(str, RANKS))} {recalls} % (95% of the first"
        f" {100 * low:.1f} to {100 * high:.1f}), full_median_rank"
        f" {figures['full_median_rank']:.0f}",
        flush=True,
    )


if __name__ == "__main__":
    run_command(main)

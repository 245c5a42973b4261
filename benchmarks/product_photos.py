"""Products with several photos: is one found better by its best photo, or by the mean of all?

    python -m benchmarks.product_photos --records=records/valid --model=model

Texts are asked, products are found, each gallery product once: by its first photo alone, by the
photo that scores best, and by the mean of its photos' vectors. Figures are Recall@1, 5 and 10 and
the median rank with 95% intervals; products of equal texts are the same right answer.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from benchmarks.recall_lines import print_recalls
from kaleido_tf.command import run_command
from kaleido_tf.command_line.gallery import Gallery, gallery_of
from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.errors import InputError
from kaleido_tf.search.gallery_recall import Side, full_gallery_figures

flags.DEFINE_string("records", None, "Records of products with several photos.", required=True)
flags.DEFINE_string("model", None, "Folder or checkpoint of a trained model.", required=True)
FLAGS = flags.FLAGS


def main(_):
    model = VectorModel(FLAGS.model)
    gallery = gallery_of(model.model, model.open_table(FLAGS.records))
    products, owners = np.unique(gallery.sides["photos"].products.astype(str), return_inverse=True)
    counts = np.bincount(owners)
    if counts.max() == 1:
        raise InputError(f"Products with several photos are needed. Received: {FLAGS.records}")
    text_of = dict(zip(gallery.sides["texts"].products, gallery.sides["texts"].texts))
    found = Side(products, [text_of[product] for product in products])
    print(f"{len(products)} products, {(counts > 1).sum()} with 2 to {counts.max()} photos")
    for name, scores in _ways(gallery, owners, model).items():
        print_recalls(name, full_gallery_figures([scores], gallery.sides["texts"], found))


def _ways(gallery: Gallery, owners: np.ndarray, model: VectorModel) -> dict[str, np.ndarray]:
    """Name -> [texts, products] scores."""
    texts, photos = gallery.vectors["texts"], gallery.vectors["photos"]
    scores = _scores(texts, photos, gallery.hubness and gallery.hubness["photos"])
    order = np.argsort(owners, kind="stable")
    firsts = np.flatnonzero(np.diff(owners[order], prepend=-1))
    means = np.add.reduceat(photos[order], firsts)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    hubness = model.vectors.hubness_of_photos(means) if gallery.hubness else None
    return {
        "first photo": scores[:, order[firsts]],
        "best photo": np.maximum.reduceat(scores[:, order], firsts, axis=1),
        "mean of the photos": _scores(texts, means, hubness),
    }


def _scores(texts: np.ndarray, photos: np.ndarray, hubness: np.ndarray | None) -> np.ndarray:
    cosines = texts @ photos.T
    return cosines if hubness is None else 2 * cosines - hubness


if __name__ == "__main__":
    run_command(main)

"""A yardstick for retrieval: ridge regression from the words of a text to the features of levels 1
to 3.

`python -m benchmarks.retrieval_yardstick --train=records/train --test=records/valid`: the same
candidate lists, the same evaluator, no transformer. A model that does not beat it has learnt less
than which words go with which features.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import flags
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from kaleido_tf.command import run_command
from kaleido_tf.data.record_table import RecordTable, read_images, read_record_table
from kaleido_tf.evaluation.candidates import read_candidate_pairs
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS, evaluate_retrieval
from kaleido_tf.evaluation.report import summary
from kaleido_tf.files.input_files import find_files
from kaleido_tf.patches import level_slice
from kaleido_tf.records.dataset_json import feature_size_of
from kaleido_tf.records.record import KALEIDO
from kaleido_tf.text import Vocabulary

flags.DEFINE_string("train", None, "Records to fit on.", required=True)
flags.DEFINE_string("test", None, "Records of the candidate lists.", required=True)
flags.DEFINE_string("candidates", None, "Folder of the candidate lists; default: beside --test.")
flags.DEFINE_float("ridge", 3.0, "Ridge penalty.")
FLAGS = flags.FLAGS

LONGEST_TEXT = 512


def read(pattern: str) -> tuple[RecordTable, list[str], np.ndarray]:
    """Table, texts and features of records: of levels 1 to 3 ([N, 14 * F]), or of all patches of a
    grid.
    """
    files = find_files(pattern)
    vocabulary = Vocabulary(pathlib.Path(files[0]).parent / "vocab.txt")
    table = read_record_table(files, vocabulary, LONGEST_TEXT, feature_size_of(files))
    texts = [
        vocabulary.text_of(table.sequences[row][1 : table.lengths[row] - 1]) for row in table.texts
    ]
    _, features, _ = read_images(table, np.arange(len(table)))
    used = level_slice("camouflage").stop if table.layout == KALEIDO else table.layout.num_patches
    return table, texts, features[:, :used].astype(np.float32).reshape(len(table), -1)


def fit(texts: list[str], features: np.ndarray, ridge: float):
    """A function from texts to standardised features, and one that standardises features."""
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    mean, spread = features.mean(0), features.std(0) + 1e-3
    model = Ridge(alpha=ridge).fit(words.fit_transform(texts), (features - mean) / spread)
    return lambda new: model.predict(words.transform(new)), lambda new: (new - mean) / spread


def cosine_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-9)


def main(_):
    _, texts, features = read(FLAGS.train)
    predict, standardise = fit(texts, features, FLAGS.ridge)
    table, texts, features = read(FLAGS.test)
    predicted, seen = predict(texts), standardise(features)
    for direction in DIRECTIONS:
        folder = FLAGS.candidates or os.path.dirname(table.files[0])
        pairs = read_candidate_pairs(
            os.path.join(folder, f"candidates_{direction}.jsonl"), direction, table
        )
        scores = cosine_rows(predicted[pairs.texts], seen[pairs.images])
        metrics = evaluate_retrieval(
            pairs.lists,
            pairs.labels,
            np.stack([-scores, scores], axis=1),
            equal_texts=pairs.equal_texts,
        )
        print(summary(metrics, direction))


if __name__ == "__main__":
    run_command(main)

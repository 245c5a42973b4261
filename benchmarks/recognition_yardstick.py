"""What a linear model makes of the task of recognition, from the same records: logistic regression
from tf-idf words and from the backbone's features of each photo and its quarters.

`python -m benchmarks.recognition_yardstick --train=records/train --test=records/valid
--task=subcatepred`. Its penalty is chosen on a fifth of the training products, never on --test.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pathlib

import numpy as np
import scipy.sparse
from absl import flags
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from kaleido_tf.command import run_command
from kaleido_tf.data.class_labels import class_names
from kaleido_tf.data.coarse_features import read_coarse_features
from kaleido_tf.data.record_table import RecordTable, read_record_table
from kaleido_tf.evaluation.classification import macro_f1
from kaleido_tf.evaluation.nearest_neighbours import held_out_products, image_vectors
from kaleido_tf.evaluation.photo_views import photos_of
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.dataset_json import size_of
from kaleido_tf.text import Vocabulary

flags.DEFINE_string("train", None, "Records to fit on.", required=True)
flags.DEFINE_string("test", None, "Records to classify.", required=True)
flags.DEFINE_enum("task", "subcatepred", ["catepred", "subcatepred"], "Which classes.")
FLAGS = flags.FLAGS

LONGEST_TEXT = 512
PENALTIES = (1.0, 10.0, 100.0)
"""scikit-learn's C: the larger, the weaker."""
HELD_OUT, SEED = 0.2, 0
ROUNDS = 300


def read(pattern: str) -> tuple[RecordTable, np.ndarray, list[str]]:
    """The table of records, the numbers of those that show a photo as it is, and their texts."""
    files = find_files(pattern)
    vocabulary = Vocabulary(pathlib.Path(files[0]).parent / "vocab.txt")
    table = read_record_table(files, vocabulary, LONGEST_TEXT, size_of(files))
    plain = photos_of(table).plain
    texts = [
        vocabulary.text_of(table.sequences[row][1 : table.lengths[row] - 1])
        for row in table.texts[plain]
    ]
    return table, plain, texts


def fit(vectors, labels: np.ndarray, penalty: float) -> LogisticRegression:
    """A fitted model."""
    return LogisticRegression(C=penalty, max_iter=ROUNDS).fit(vectors, labels)


def score(labels: np.ndarray, predictions: np.ndarray) -> tuple[float, float]:
    """Accuracy, and macro-F1 over the classes with an example among `labels`."""
    names = np.unique(np.concatenate([labels, predictions]))
    numbers = {name: number for number, name in enumerate(names)}
    ours, theirs = (np.array([numbers[name] for name in side]) for side in (labels, predictions))
    return float((ours == theirs).mean()), macro_f1(ours, theirs, len(names))


def main(_):
    (train, ours, words), (test, theirs, asked) = read(FLAGS.train), read(FLAGS.test)
    photos = (train, ours), (test, theirs)
    labels, wanted = (np.array(class_names(t, FLAGS.task)[plain]) for t, plain in photos)
    image = image_vectors(*(read_coarse_features(table)[plain] for table, plain in photos))
    tfidf = TfidfVectorizer(sublinear_tf=True, min_df=2)
    text = tfidf.fit_transform(words), tfidf.transform(asked)
    both = [
        scipy.sparse.hstack([scipy.sparse.csr_matrix(a), b]).tocsr() for a, b in zip(image, text)
    ]
    held = held_out_products(train.product_ids[ours], HELD_OUT, SEED)
    for name, (known, new) in (("image", image), ("text", text), ("both", both)):
        trials = [
            score(labels[held], fit(known[~held], labels[~held], penalty).predict(known[held]))[1]
            for penalty in PENALTIES
        ]
        penalty = PENALTIES[int(np.argmax(trials))]
        accuracy, f1 = score(wanted, fit(known, labels, penalty).predict(new))
        print(f"{name:<6} accuracy {accuracy:.4f}, macro-F1 {f1:.4f} (C={penalty:g})", flush=True)


if __name__ == "__main__":
    run_command(main)

"""Retrieval by the aligned embeddings alone, before any encoder is trained: a minute instead of
half an hour.

`python -m benchmarks.contrastive_start --train=records/train --test=records/valid
--model_config=run_configs/small_kaleido_bert.json` shows what `--contrastive_epochs` gives the
model to begin with; the same candidate lists, the same evaluator.
"""

import dataclasses
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tf_keras
from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.data.record_table import RecordTable, read_evenly, read_images, read_record_table
from kaleido_tf.evaluation.candidates import read_candidate_pairs
from kaleido_tf.evaluation.photo_views import mean_over_views, pairs_of_views
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS, evaluate_retrieval
from kaleido_tf.evaluation.report import summary
from kaleido_tf.families import build_model, read_config
from kaleido_tf.files.input_files import find_files
from kaleido_tf.layers.heads import unit_means
from kaleido_tf.models.cross_modal import MEASURED_IMAGES
from kaleido_tf.objectives.contrastive_start import align_embeddings, embedder_inputs
from kaleido_tf.records.dataset_json import size_of
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import make_strategy

flags.DEFINE_string("train", None, "Records to align on.", required=True)
flags.DEFINE_string(
    "test", None, "Records of the candidate lists, which stand beside them.", required=True
)
flags.DEFINE_string("model_config", None, "config.json of the model.", required=True)
flags.DEFINE_integer("input_sequence_length", 80, "Text length in word pieces.")
flags.DEFINE_integer("epochs", 10, "Passes over the training records.", lower_bound=1)
flags.DEFINE_integer("seed", 123123, "Of weights and order.")
FLAGS = flags.FLAGS


def encode(
    model, table: RecordTable, features, boxes, batch: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of each record's text and image, [N, H] each."""
    parts = []
    for start in range(0, len(table), batch):
        rows = slice(start, start + batch)
        feed = embedder_inputs(model, table, table.texts[rows], features[rows], boxes[rows])
        embedded = model.embedder(feed, training=False)
        parts.append(
            unit_means(
                embedded["text"], tf.cast(feed["input_mask"], tf.float32), embedded["patches"]
            )
        )
    texts, images = zip(*parts)
    return np.concatenate(texts), np.concatenate(images)


def main(_):
    files = find_files(FLAGS.train)
    vocabulary = Vocabulary(pathlib.Path(files[0]).parent / "vocab.txt")
    size, length = size_of(files), FLAGS.input_sequence_length
    table = read_record_table(files, vocabulary, length, size)
    config = dataclasses.replace(
        read_config(FLAGS.model_config),
        patch_feature_size=size,
        text_seq_len=length,
        vocab_size=len(vocabulary),
    )
    strategy = make_strategy(DeviceConfig(worker_gpus=0))
    tf_keras.utils.set_random_seed(FLAGS.seed)
    with strategy.scope():
        model = build_model(config, (), length)
        _ = model.embedder  # makes the weights in the strategy's scope
    normalisation = model.named_layers.get("feature_normalisation")
    if normalisation:
        normalisation.measure(read_evenly(table, MEASURED_IMAGES)[1])
    align_embeddings(model, table, strategy, FLAGS.epochs, FLAGS.seed)
    table = read_record_table(find_files(FLAGS.test), vocabulary, length, size)
    texts, images = encode(model, table, *read_images(table, np.arange(len(table)))[1:])
    for direction in DIRECTIONS:
        pairs = read_candidate_pairs(
            os.path.join(os.path.dirname(table.files[0]), f"candidates_{direction}.jsonl"),
            direction,
            table,
        )
        viewed, counts = pairs_of_views(table, pairs)
        scores = np.sum(texts[viewed.texts] * images[viewed.images], axis=1)
        scores = mean_over_views(scores, counts)
        print(
            summary(
                evaluate_retrieval(
                    pairs.lists,
                    pairs.labels,
                    np.stack([-scores, scores], axis=1),
                    equal_texts=pairs.equal_texts,
                ),
                direction,
            )
        )


if __name__ == "__main__":
    run_command(main)

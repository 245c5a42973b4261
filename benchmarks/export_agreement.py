"""How near an exported SavedModel is to the project, on the photos and texts of records: `python -m
benchmarks.export_agreement --exported=exported --model=model --records=records/valid
--catalogue=shop`.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import flags

from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.command import run_command
from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.evaluation.candidates import Pairs
from kaleido_tf.evaluation.scoring import candidate_batches
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.shards import read_shard

flags.DEFINE_string("exported", None, "Folder of --mode=export.", required=True)
flags.DEFINE_string("model", None, "Folder or checkpoint of the model.", required=True)
flags.DEFINE_string("records", None, "Folder of records.", required=True)
flags.DEFINE_string("catalogue", "", "Where the catalogue is now.")
flags.DEFINE_integer("count", 100, "Photos that are looked at.", lower_bound=1)
FLAGS = flags.FLAGS


def main(_):
    model = VectorModel(FLAGS.model)
    table = model.open_table(FLAGS.records)
    records = [record for file in table.files for record in read_shard(file)][: FLAGS.count]
    photos = RecordPhotos(read_dataset_json(FLAGS.records), FLAGS.records, FLAGS.catalogue)
    ask, kept, found = tf.saved_model.load(FLAGS.exported).signatures, [], []
    for number, record in enumerate(records):
        content = pathlib.Path(photos.image(record.image_id).where).read_bytes()
        try:
            found.append(_ask(ask, record.text, content))
            kept.append(number)
        except tf.errors.InvalidArgumentError:
            continue
    print(f"{len(kept)} of {len(records)} photos are taken")
    _compare(model, table, kept, [records[n] for n in kept], *map(np.concatenate, zip(*found)))


def _ask(ask, text: str, content: bytes):
    texts, photos = tf.constant([text.encode()]), tf.constant([content])
    vectors = ask["text"](texts=texts)["vector"], ask["photo"](photos=photos)["vector"]
    return [*vectors, ask["match"](texts=texts, photos=photos)["score"]]


def _compare(model, table, kept, records, texts, photos, scores):
    rows = table.texts[kept]
    expected = model.vectors.of_texts(table.sequences[rows], table.lengths[rows])
    _say("texts: 1 - cosine", 1 - (texts * expected).sum(axis=1))
    features = np.stack([record.block("patch_features") for record in records])
    boxes = np.stack([record.boxes for record in records])
    expected = model.vectors.of_photos(features, boxes)
    _say("photos: 1 - cosine", 1 - (photos * expected).sum(axis=1))
    zeros = np.zeros(len(kept), int)
    pairs = Pairs(np.array(kept), np.array(kept), zeros > 0, zeros)
    batches = candidate_batches(model.model, table, pairs, 16)
    logits = np.concatenate([model.model.matcher(b, training=False).numpy() for b in batches])
    _say("scores", np.abs(scores - logits[:, 1]))


def _say(what: str, differences: np.ndarray) -> None:
    print(
        f"{what}: largest {differences.max():.2g}, median {np.median(differences):.2g},"
        f" {(differences > 1e-3).sum()} above 0.001"
    )


if __name__ == "__main__":
    run_command(main)

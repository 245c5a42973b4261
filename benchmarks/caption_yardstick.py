r"""A captioner's BLEU-4 beside what is had without one: the text of a random training product, and
of the most similar photo.

    python -m benchmarks.caption_yardstick --train=records/train --valid=records/valid \
        --captioner=captioner

Similar: the highest cosine of the standardised features of the whole crop. Takes the maps that the
captioner's training kept.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from data_prep.alignment.captioner_training import WEIGHTS_NAME
from data_prep.alignment.captions import Speaker
from data_prep.alignment.feature_maps import KeptMaps
from data_prep.alignment.show_attend_tell import load_captioner
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_metrics import bleu_4, words_in
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.shards import read_shard
from kaleido_tf.records.views import PLAIN
from kaleido_tf.text import Vocabulary

flags.DEFINE_string("train", None, "Records the captioner learnt from.", required=True)
flags.DEFINE_string("valid", None, "Records held out.", required=True)
flags.DEFINE_string("captioner", None, "--model_dir of data_prep.train_captioner.", required=True)
flags.DEFINE_list("beams", ["1", "3"], "Beams to decode with.")
FLAGS = flags.FLAGS


def read(folder: str, vocabulary: Vocabulary) -> tuple[list[str], np.ndarray]:
    """(texts as words, features of the whole crops [N, F]) of the photos"""
    texts, wholes = [], []
    for record in (record for shard in find_files(folder) for record in read_shard(shard)):
        if record.view == PLAIN:
            texts.append(words_in(record.token_ids, vocabulary))
            wholes.append(record.block("patch_features")[0].astype(np.float32))
    return texts, np.stack(wholes)


def main(_):
    vocabulary = Vocabulary(pathlib.Path(FLAGS.train) / "vocab.txt")
    texts, features = read(FLAGS.train, vocabulary)
    references, asked = read(FLAGS.valid, vocabulary)
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    unit = [(rows - mean) / scale for rows in (features, asked)]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in unit]
    drawn = np.random.default_rng(0).integers(len(texts), size=len(references))
    print(f"{len(references)} photos held out, BLEU-4:")
    print(
        f"  text of a random training product {bleu_4([texts[n] for n in drawn], references):.2f}"
    )
    print(
        "  text of the most similar photo   "
        f" {bleu_4([texts[n] for n in (unit[1] @ unit[0].T).argmax(axis=1)], references):.2f}"
    )
    captioner = load_captioner(pathlib.Path(FLAGS.captioner) / WEIGHTS_NAME)
    files = sorted((pathlib.Path(FLAGS.captioner) / "maps" / "valid").glob("*.npy"))
    if not files:
        raise InputError(
            "The maps that the captioner's training kept are needed. Not found:"
            f" {FLAGS.captioner}/maps/valid"
        )
    maps = KeptMaps(files)
    if len(maps) != len(references):
        raise InputError(
            f"The maps of {FLAGS.valid} are needed. {FLAGS.captioner}/maps/valid holds those of"
            f" {len(maps)} photos, not {len(references)}"
        )
    for beam in map(int, FLAGS.beams):
        speaker = Speaker(captioner, beam)
        captions = [
            caption
            for batch in np.array_split(np.arange(len(maps)), -(-len(maps) // 64))
            for caption in speaker.describe(maps[batch])
        ]
        words = [words_in(caption.token_ids, vocabulary) for caption in captions]
        print(f"  captioner, beam {beam}                 {bleu_4(words, references):.2f}")
    for ours, theirs in list(zip(words, references))[:: max(1, len(references) // 8)]:
        print(f"    {ours}\n      (its text: {theirs})")


if __name__ == "__main__":
    run_command(main)

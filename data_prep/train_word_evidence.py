"""Learns which cells of a photo show which word, for `write_alignments --evidence`:

    python -m data_prep.train_word_evidence --records=records/train --model_dir=evidence

A linear fit from the photos' convolutional maps to the words of their texts: the maps take a minute
or two for two thousand photos, the fit seconds. The photos are read once more, cut as the records'
patches were. Started again, the command goes on with the maps that are there.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from data_prep.alignment.evidence_training import train_evidence
from data_prep.alignment.word_evidence import WEIGHTS_NAME, EvidenceSettings
from data_prep.features.backbones import build_backbone
from kaleido_tf.command import run_command
from kaleido_tf.records.dataset_json import read_dataset_json

flags.DEFINE_string("records", None, "Folder of kaleido records to learn from.", required=True)
flags.DEFINE_string("model_dir", None, "Where the evidence and the maps are kept.", required=True)
flags.DEFINE_string(
    "backbone_weights",
    "imagenet",
    "Of the records' backbone: imagenet, random, or the path of a Keras HDF5 file.",
)
flags.DEFINE_string(
    "catalogue", "", "Where the catalogue is now; default: where the records say it was."
)
flags.DEFINE_integer(
    "cells",
    EvidenceSettings.cells,
    "Cells a side of the convolutional map: 14, or 7.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "longest",
    EvidenceSettings.longest,
    "Most word pieces of a text that are looked at.",
    lower_bound=1,
)
FLAGS = flags.FLAGS


def main(_):
    dataset = read_dataset_json(FLAGS.records)
    backbone = build_backbone(dataset["backbone"], FLAGS.backbone_weights)
    sizes = (FLAGS.cells, FLAGS.longest)
    trained = train_evidence(FLAGS.records, FLAGS.model_dir, backbone, *sizes, FLAGS.catalogue)
    visible = int((trained.evidence.visible > 0).sum())
    print(
        f"{FLAGS.model_dir}/{WEIGHTS_NAME}: evidence for {visible} of"
        f" {len(trained.settings.pieces)} word pieces"
    )


if __name__ == "__main__":
    run_command(main)

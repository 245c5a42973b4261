"""Trains Show, Attend and Tell on a catalogue's own photos and texts, for `write_alignments`:

    python -m data_prep.train_captioner --records=records/train --model_dir=captioner

The photos are read once more, cut as the records' patches were. Interrupted runs go on with the
same command; `captioner.safetensors` in --model_dir is the best epoch.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags, logging

from data_prep.alignment.captioner_training import WEIGHTS_NAME, TrainSettings, train
from data_prep.features.backbones import build_backbone
from kaleido_tf.command import run_command
from kaleido_tf.records.dataset_json import read_dataset_json

_DEFAULT = TrainSettings()
flags.DEFINE_string("records", None, "Folder of kaleido records to learn from.", required=True)
flags.DEFINE_string(
    "valid_records", None, "Folder of records held out; default: `valid` beside --records."
)
flags.DEFINE_string("model_dir", None, "Where the run is kept.", required=True)
flags.DEFINE_string(
    "backbone_weights",
    "imagenet",
    "Of the records' backbone: imagenet, random, or the path of a Keras HDF5 file.",
)
flags.DEFINE_string(
    "catalogue", "", "Where the catalogue is now; default: where the records say it was."
)
flags.DEFINE_integer(
    "cells", _DEFAULT.cells, "Cells a side of the convolutional map: 14, or 7.", lower_bound=1
)
flags.DEFINE_integer("units", _DEFAULT.units, "Hidden units of the LSTM.", lower_bound=1)
flags.DEFINE_integer("embedding", _DEFAULT.embedding, "Floats of a word piece.", lower_bound=1)
flags.DEFINE_integer(
    "attention_units", _DEFAULT.attention_units, "Units of the attention's layer.", lower_bound=1
)
flags.DEFINE_integer(
    "longest",
    _DEFAULT.longest,
    "Most word pieces of a caption; longer texts are cut.",
    lower_bound=1,
)
flags.DEFINE_integer("epochs", _DEFAULT.epochs, "Passes over the training photos.", lower_bound=1)
flags.DEFINE_integer("batch_size", _DEFAULT.batch_size, "Photos a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", _DEFAULT.learning_rate, "Of Adam, at its height.")
flags.DEFINE_float(
    "dropout",
    _DEFAULT.dropout,
    "Of embeddings, states and the output layer.",
    lower_bound=0.0,
    upper_bound=0.99,
)
flags.DEFINE_float(
    "regularizer",
    _DEFAULT.regularizer,
    "Weight of the doubly stochastic regularisation.",
    lower_bound=0.0,
)
flags.DEFINE_integer(
    "bleu_photos",
    _DEFAULT.bleu_photos,
    "Held-out photos that are captioned after each epoch.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "seed", _DEFAULT.seed, "Of the first weights, the order and dropout.", lower_bound=0
)
FLAGS = flags.FLAGS


def main(_):
    # TensorFlow's saver notes how long it took, in every epoch
    logging.set_verbosity(logging.WARNING)
    names = (
        "cells",
        "units",
        "embedding",
        "attention_units",
        "longest",
        "epochs",
        "batch_size",
        "learning_rate",
        "dropout",
        "regularizer",
        "bleu_photos",
        "seed",
    )
    settings = TrainSettings(**{name: FLAGS[name].value for name in names})
    dataset = read_dataset_json(FLAGS.records)
    backbone = build_backbone(dataset["backbone"], FLAGS.backbone_weights)
    valid = FLAGS.valid_records or os.path.join(os.path.dirname(FLAGS.records.rstrip("/")), "valid")
    best = train(FLAGS.records, valid, FLAGS.model_dir, backbone, settings, FLAGS.catalogue)
    print(
        f"{FLAGS.model_dir}/{WEIGHTS_NAME}: epoch {best['epoch']}, BLEU-4 {best['bleu_4']:.2f},"
        f" {best['valid_loss']:.3f} nats a word piece on the photos held out"
    )


if __name__ == "__main__":
    run_command(main)

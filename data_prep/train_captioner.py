"""Trains Show, Attend and Tell on a catalogue's own photos and texts, for `write_alignments`:

    python -m data_prep.train_captioner --records=records/train --model_dir=captioner

The photos are read once more, cut as the records' patches were. Interrupted runs go on with the
same command; `captioner.safetensors` in --model_dir is the best epoch.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags, logging

from data_prep import photo_flags
from data_prep.alignment.captioner_training import WEIGHTS_NAME, TrainSettings, train
from data_prep.alignment.record_alignments import check_layout
from data_prep.photo_flags import backbone_of_flags, define_photo_flags
from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.records.dataset_json import read_dataset_json

flags.DEFINE_string("records", None, "Folder of kaleido records to learn from.", required=True)
flags.DEFINE_string(
    "valid_records", None, "Folder of records held out; default: `valid` beside --records."
)
flags.DEFINE_string("model_dir", None, "Where the run is kept.", required=True)
define_photo_flags()
flags.adopt_module_key_flags(photo_flags)
define_setting_flags(TrainSettings)
FLAGS = flags.FLAGS


def main(_):
    # TensorFlow's saver notes how long it took, in every epoch
    logging.set_verbosity(logging.WARNING)
    settings = read_settings(TrainSettings)
    dataset = read_dataset_json(FLAGS.records)
    check_layout(dataset, FLAGS.records)
    backbone = backbone_of_flags(dataset["backbone"])
    valid = FLAGS.valid_records or os.path.join(os.path.dirname(FLAGS.records.rstrip("/")), "valid")
    best = train(FLAGS.records, valid, FLAGS.model_dir, backbone, settings, FLAGS.catalogue)
    print(
        f"{FLAGS.model_dir}/{WEIGHTS_NAME}: epoch {best['epoch']}, BLEU-4 {best['bleu_4']:.2f},"
        f" {best['valid_loss']:.3f} nats a word piece on the photos held out"
    )


if __name__ == "__main__":
    run_command(main)

"""Trains the tokenizer whose codes FashionViL predicts of masked patches:

    python -m data_prep.train_vq_tokens --records=records/train --output_dir=tokenizer

A VQ-VAE learns to bring back the photos of pixel records from one code a cell; each level of
--multipliers but the last halves the map, so that 6 levels make a 7 x 7 grid of photos of 224
pixels. Interrupted runs go on with the same command; `patch_tokenizer.safetensors` in --output_dir,
with its `config.json`, is the best epoch.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags, logging

from data_prep.patch_tokens.pixel_photos import PixelPhotos
from data_prep.patch_tokens.token_settings import TokenSettings
from data_prep.patch_tokens.token_training import told, train
from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.models.fashion_vil.tokenizer_file import WEIGHTS_NAME

flags.DEFINE_string("records", None, "Pixel records to learn from.", required=True)
flags.DEFINE_string("output_dir", None, "Where the run is kept.", required=True)
define_setting_flags(TokenSettings)
FLAGS = flags.FLAGS


def main(_):
    # TensorFlow's saver notes how long it took, in every epoch
    logging.set_verbosity(logging.WARNING)
    settings = read_settings(TokenSettings)
    check_writable(FLAGS.output_dir)  # before all photos are read
    photos = PixelPhotos(FLAGS.records, settings.holdout)
    grid = settings.config(photos.side).grid
    print(
        f"{photos.counts['train']} photos to learn from, {photos.counts['valid']} held out; a grid"
        f" of {grid} x {grid} codes",
        flush=True,
    )
    best = train(photos, FLAGS.output_dir, settings)
    print(f"{FLAGS.output_dir}/{WEIGHTS_NAME}: epoch {best['epoch']}, {told(best)}")


if __name__ == "__main__":
    run_command(main)

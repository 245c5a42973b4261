"""Catalogue to records of pixels: `python -m data_prep.write_pixel_records
--catalogue=products.jsonl --output_dir=records`.

For the families that read photos, not features (MVLT, FashionViL). Photos are cropped to the
product if that is asked for, and become squares of one size. Interrupted runs go on with the same
command.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from data_prep import record_flags
from data_prep.record_flags import (
    define_record_flags,
    read_record_settings,
    write_catalogue_records,
)
from data_prep.record_writing.pixel_content import PixelContent, PixelSettings
from kaleido_tf.command import run_command

define_record_flags(PixelSettings)
flags.adopt_module_key_flags(record_flags)


def main(_):
    write_catalogue_records(read_record_settings(PixelSettings), PixelContent)


if __name__ == "__main__":
    run_command(main)

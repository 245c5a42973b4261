"""Catalogue to records: `python -m data_prep.write_kaleido_records --catalogue=products.jsonl
--output_dir=records`.

Photos are cropped to the product, cut into 55 kaleido patches and turned into features once;
training then reads only the records. Interrupted runs go on with the same command.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from data_prep import patch_flags, record_flags
from data_prep.patch_flags import define_patch_flags, write_patch_records
from kaleido_tf.command import run_command
from kaleido_tf.records.record import KALEIDO

define_patch_flags(foreground="border")
flags.adopt_module_key_flags(record_flags)
flags.adopt_module_key_flags(patch_flags)


def main(_):
    write_patch_records(KALEIDO.name)


if __name__ == "__main__":
    run_command(main)

"""Catalogue to FashionBERT's records: `python -m data_prep.write_fashion_bert_records
--catalogue=products.jsonl --output_dir=records`.

The whole photo is cut into 8x8 patches (--grid=8), as the paper, the guide and the released weights
have it: 64 patches of 2,048 floats are the 131,072 values of its rows, and 64 positions are in its
  table. The feature extractor that was released beside
it cuts 4x4; such features (--grid=4) fit a model whose `max_patch_position_embeddings` is 16, and
none that was released. Interrupted runs go on with the same command.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from data_prep import patch_flags, record_flags
from data_prep.patch_flags import define_patch_flags, write_patch_records
from kaleido_tf.command import run_command
from kaleido_tf.records.record import GRIDS

flags.DEFINE_enum(
    "grid",
    "8",
    [str(side) for side in GRIDS],
    "Patches a side: 8 as the paper, 4 as the released extractor.",
)
define_patch_flags(foreground="none")
flags.adopt_module_key_flags(record_flags)
flags.adopt_module_key_flags(patch_flags)
FLAGS = flags.FLAGS


def main(_):
    write_patch_records(GRIDS[int(FLAGS.grid)].name)


if __name__ == "__main__":
    run_command(main)

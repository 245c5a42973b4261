"""Draws the sample catalogue and outfits of its products, which match by colour and season.

python -m data_prep.write_sample_outfits --output_dir=drawn
"""

import pathlib

from absl import flags

from data_prep.sample.sample_catalogue import write_sample_catalogue
from data_prep.sample.sample_outfits import write_sample_outfits
from kaleido_tf.command import run_command

_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Folder to draw into; new, or empty.", required=True
)
_NUM_PRODUCTS = flags.DEFINE_integer("num_products", 2400, "How many products.")
_VALID_FRACTION = flags.DEFINE_float(
    "valid_fraction", 0.25, "Share of each sub-category for the split `valid`."
)
_TRAIN_OUTFITS = flags.DEFINE_integer(
    "train_outfits", 2000, "How many outfits of products of train.", lower_bound=1
)
_VALID_OUTFITS = flags.DEFINE_integer(
    "valid_outfits", 300, "How many outfits of products of valid.", lower_bound=1
)
_SEED = flags.DEFINE_integer("seed", 1, "The same seed draws the same.", 0, 2**32 - 1)


def main(_):
    folder, seed = pathlib.Path(_OUTPUT_DIR.value), _SEED.value
    products, fraction = _NUM_PRODUCTS.value, _VALID_FRACTION.value
    counts = _TRAIN_OUTFITS.value, _VALID_OUTFITS.value
    write_sample_catalogue(folder, products, fraction, seed)
    write_sample_outfits(folder, products, fraction, seed, *counts)
    print(f"{folder}: {products} products, {counts[0]} outfits of train, {counts[1]} of valid")


if __name__ == "__main__":
    run_command(main)

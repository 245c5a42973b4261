"""Draws the sample catalogue.

python -m data_prep.write_sample_catalogue --output_dir=sample
"""

from absl import flags, logging

from data_prep.sample.sample_catalogue import write_sample_catalogue
from kaleido_tf.command import run_command
from kaleido_tf.files.text_files import read_lines

_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Folder to draw into; new, or empty.", required=True
)
_NUM_PRODUCTS = flags.DEFINE_integer("num_products", 480, "How many products.")
_VALID_FRACTION = flags.DEFINE_float(
    "valid_fraction", 0.25, "Share of each sub-category for the split `valid`."
)
_SEED = flags.DEFINE_integer("seed", 1, "The same seed draws the same catalogue.", 0, 2**32 - 1)


def main(_):
    manifest = write_sample_catalogue(
        _OUTPUT_DIR.value, _NUM_PRODUCTS.value, _VALID_FRACTION.value, _SEED.value
    )
    for row in read_lines(manifest)[:3]:
        logging.info("%s", row)
    logging.info("%d products in %s", _NUM_PRODUCTS.value, manifest)


if __name__ == "__main__":
    run_command(main)

"""Draws a catalogue with triplets of text-guided retrieval: a photo, what is to change, a photo.

python -m data_prep.write_sample_triplets --output_dir=sample_triplets
"""

from absl import flags

from data_prep.sample.sample_triplets import TripletSizes, write_sample_triplets
from kaleido_tf.command import run_command
from kaleido_tf.files.text_files import read_lines

_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Folder to draw into; new, or empty.", required=True
)
_TRAIN_GROUPS = flags.DEFINE_integer("train_groups", 120, "Groups of five products in train.")
_VALID_GROUPS = flags.DEFINE_integer("valid_groups", 50, "Groups of five products in valid.")
_GROUP_TRIPLETS = flags.DEFINE_integer("group_triplets", 4, "Triplets of a group at most.")
_SEED = flags.DEFINE_integer("seed", 1, "The same seed draws the same triplets.", 0, 2**32 - 1)


def main(_):
    sizes = TripletSizes(_TRAIN_GROUPS.value, _VALID_GROUPS.value, _GROUP_TRIPLETS.value)
    path = write_sample_triplets(_OUTPUT_DIR.value, sizes, _SEED.value)
    rows = read_lines(path)
    asking = [row for row in rows if '"fake_data"' not in row]
    for row in asking[:3]:
        print(row)
    print(f"{path}: {len(asking)} triplets, {len(rows) - len(asking)} photos")


if __name__ == "__main__":
    run_command(main)

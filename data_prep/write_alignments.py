"""Alignments into records: `python -m data_prep.write_alignments --records=records/train --pairs=pairs.jsonl`.

Pairs of a word and a region of the photo, made elsewhere, become pairs of word pieces and kaleido patches in the records, by which
training then masks (docs/alignments.md). Features are not computed again; a second start writes the same again.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes hide what this program says

from absl import flags

from data_prep.alignments import AlignmentSettings
from data_prep.record_alignments import align_records, ids_in, read_named_boxes, regions_of
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError

_DEFAULTS = AlignmentSettings()

flags.DEFINE_string("records", None, "Records of write_kaleido_records: a folder, a file, a glob, a list file.", required=True)
flags.DEFINE_string("pairs", None, "JSON lines: image_id or product_id, word, box [x1, y1, x2, y2] in pixels of the photo, score.", required=True)
flags.DEFINE_float("mass", _DEFAULTS.mass, "Share of a heat map's mass that its salient region holds.", lower_bound=0.01, upper_bound=1.0)
flags.DEFINE_float("overlap", _DEFAULTS.overlap, "Least share of the smaller of region and patch that lies in the other.", lower_bound=0.0, upper_bound=1.0)
flags.DEFINE_integer("patches_a_level", _DEFAULTS.patches_a_level, "Most patches of a level that a word is paired with.", lower_bound=1)
FLAGS = flags.FLAGS


def main(_):
    boxes = read_named_boxes(FLAGS.pairs)
    foreign = set(boxes) - ids_in(FLAGS.records)
    if len(foreign) == len(boxes):  # known before the alignments that are there are replaced
        raise InputError(f"None of the ids in {FLAGS.pairs} ({next(iter(boxes))!r}, ...) is in the records {FLAGS.records}: nothing was changed")

    def find_regions(example):
        feature = example.features.feature
        names = [feature[name].bytes_list.value[0].decode() for name in ("image_id", "product_id")]
        return regions_of([box for name in names for box in boxes.get(name, [])], list(feature["crop_box"].int64_list.value))

    settings = AlignmentSettings(FLAGS.mass, FLAGS.overlap, FLAGS.patches_a_level)
    result = align_records(FLAGS.records, find_regions, settings, source=os.path.basename(FLAGS.pairs))
    print(
        f"{FLAGS.records}: {result.aligned} of {result.records} records have aligned pairs, {result.pairs} in all; the others are masked at "
        f"random. {len(foreign)} of {len(boxes)} ids in {FLAGS.pairs} are not in these records"
    )


if __name__ == "__main__":
    run_command(main)

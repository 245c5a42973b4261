r"""Alignments into records, by which training then masks (docs/alignments.md):

    python -m data_prep.write_alignments --records=records/train --evidence=evidence
    python -m data_prep.write_alignments --records=records/train --captioner=captioner \
        --words=generated
    python -m data_prep.write_alignments --records=records/train --pairs=pairs.jsonl

By default the words are those of the product's own text, and what the cells of its photo show of
each (data_prep.train_word_evidence); a captioner (data_prep.train_captioner) can find the words, or
its attention be the heat, as in the paper; or pairs of a word and a region of the photo come from
elsewhere. Features are not computed again; interrupted runs go on with the same command.
"""

import hashlib
import os
import pathlib

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from data_prep import captioner_flags
from data_prep.alignment.alignments import AlignmentSettings
from data_prep.alignment.named_boxes import read_named_boxes, regions_of
from data_prep.alignment.record_alignments import align_records, ids_in
from data_prep.captioner_flags import (
    captions_are_asked_for,
    define_captioner_flags,
    regions_of_flags,
)
from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files

flags.DEFINE_string(
    "records",
    None,
    "Records of write_kaleido_records: a folder, a file, a glob, a list file.",
    required=True,
)
define_captioner_flags(words="own")
flags.adopt_module_key_flags(captioner_flags)
flags.DEFINE_string(
    "pairs",
    "",
    "JSON lines: image_id or product_id, word, box [x1, y1, x2, y2] in pixels of the photo, score.",
)
define_setting_flags(AlignmentSettings)
FLAGS = flags.FLAGS


def main(_):
    settings = read_settings(AlignmentSettings)
    if captions_are_asked_for() == bool(FLAGS.pairs):
        raise InputError(
            "Either --evidence (or --captioner) or --pairs is needed. Received:"
            f" --evidence={FLAGS.evidence!r}, --captioner={FLAGS.captioner!r},"
            f" --pairs={FLAGS.pairs!r}"
        )
    find_regions, source = _from_photos() if captions_are_asked_for() else _from_pairs()
    result = align_records(FLAGS.records, find_regions, settings, source)
    print(
        f"{FLAGS.records}: {result.aligned} of {result.records} records have aligned pairs,"
        f" {result.pairs} in all; the others are masked at random ({result.without_regions} without"
        f" any word seen, {result.without_shared_words} without a word that their text shares)"
    )


def _from_photos():
    """(what finds the regions, what it is)."""
    regions = regions_of_flags()
    for folder in sorted({os.path.dirname(file) or "." for file in find_files(FLAGS.records)}):
        regions.check(folder)
    return regions, regions.source


def _from_pairs():
    """(what finds the regions, what it is)"""
    boxes = read_named_boxes(FLAGS.pairs)
    foreign = set(boxes) - ids_in(FLAGS.records)
    if len(foreign) == len(boxes):  # known before the alignments that are there are replaced
        raise InputError(
            f"None of the ids in {FLAGS.pairs} ({next(iter(boxes))!r}, ...) is in the records"
            f" {FLAGS.records}: nothing was changed"
        )
    if foreign:
        print(f"{len(foreign)} of {len(boxes)} ids in {FLAGS.pairs} are not in these records")

    def find_regions(_, records):
        return [
            regions_of(
                [box for name in (r.image_id, r.product_id) for box in boxes.get(name, [])],
                list(r.crop_box),
            )
            for r in records
        ]

    return find_regions, {
        "source": os.path.basename(FLAGS.pairs),
        "pairs_digest": hashlib.sha256(pathlib.Path(FLAGS.pairs).read_bytes()).hexdigest(),
    }


if __name__ == "__main__":
    run_command(main)

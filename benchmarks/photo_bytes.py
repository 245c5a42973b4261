"""What records of pixels cost: bytes and errors of JPEGs, and what a record adds to its photo.

`python -m benchmarks.photo_bytes --records=raw/train,raw/valid`: records of `data_prep.
write_pixel_records --encoding=raw`, whose pixels are what JPEGs are held against. A row of the
table, over all photos:

    bytes      mean bytes of a JPEG
    rms        root of the mean squared error of a pixel's colour, of 255
    largest    largest error of any
    record     bytes of all records by those of all JPEGs
    most       the same of the record where that is most
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from benchmarks.jpeg_costs import row_of
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.dataset_json import declared_by, shares_photos, size_of
from kaleido_tf.records.photo import ENCODINGS, RAW
from kaleido_tf.records.shared_photos import open_shards

SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")

flags.DEFINE_list("records", None, "Folders of raw records.", required=True)
flags.DEFINE_list("qualities", ["90", "95"], "Of the JPEGs.")
FLAGS = flags.FLAGS


def main(_):
    files = [file for folder in FLAGS.records for file in find_files(folder)]
    for folder in sorted({str(pathlib.Path(file).parent) for file in files}):
        encoding = declared_by(find_files(folder)).get("photo_encoding")
        if encoding != ENCODINGS[RAW]:
            raise InputError(
                f"--records: records of data_prep.write_pixel_records --encoding={ENCODINGS[RAW]}"
                f" are needed. Received: {folder}, whose photo_encoding is {encoding}"
            )
    whole = open_shards(files, shares_photos(files))
    records, side = list(whole.as_numpy_iterator()), size_of(files)
    print(f"{len(records)} photos of {side} pixels a side")
    print(
        f"{'quality':>7} {'colours':>7} {'bytes':>7} {'rms':>6} {'largest':>7} {'record':>7} most"
    )
    for quality in map(int, FLAGS.qualities):
        for sampling in SAMPLINGS:
            size, rms, largest, record, most = row_of(records, side, quality, sampling)
            print(
                f"{quality:7} {sampling:>7} {size:7.0f} {rms:6.2f} {largest:7.0f} {record:7.3f}"
                f" {most:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    run_command(main)

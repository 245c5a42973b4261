"""Control of a ranking: records in which every product has the photo of another one of its
sub-category.

`python -m benchmarks.exchanged_photos --records=records/valid --output_dir=exchanged/valid` writes
them with the same ids, texts and candidate lists; `pretrain_main.py --mode=predict` ranks them like
any others. What a model still reaches there above chance it owes to the texts, or to a fault of the
lists, and not to what a photo shows.
"""

import os
import pathlib
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from absl import flags

from benchmarks.photo_exchange import exchanged
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.records.dataset_json import declared_by, layout_of

flags.DEFINE_string("records", None, "Records, with their candidate lists.", required=True)
flags.DEFINE_string("output_dir", None, "New folder for the others.", required=True)
flags.DEFINE_integer("seed", 0, "The same seed exchanges the same photos.", lower_bound=0)
FLAGS = flags.FLAGS


def main(_):
    files = [pathlib.Path(file) for file in find_files(FLAGS.records)]
    output = pathlib.Path(FLAGS.output_dir)
    check_writable(output)
    if output.exists() and any(output.iterdir()):
        raise InputError(f"--output_dir must be new or empty. It holds files: {output}")
    dataset = declared_by([str(file) for file in files])
    layout = layout_of(dataset, str(files[0]))
    if "views" in dataset:  # those of a photo would be exchanged with those of different ones
        raise InputError(
            f"Records of --views=plain are needed. Received: {FLAGS.records} with views"
            f" {', '.join(dataset['views'])}"
        )
    if "share_photos" in dataset:
        raise InputError(
            f"Records that each hold their photo are needed. Received: {FLAGS.records}, written"
            " with --share_photos"
        )
    parts = [[record.numpy() for record in tf.data.TFRecordDataset(str(f))] for f in files]
    records = iter(exchanged([record for part in parts for record in part], layout, FLAGS.seed))
    output.mkdir(parents=True, exist_ok=True)
    for file, part in zip(files, parts):
        write_shard(output / file.name, [next(records) for _ in part])
    for path in files[0].parent.iterdir():
        if path.suffix in (".json", ".jsonl", ".txt"):
            shutil.copy(path, output)
    print(f"{output}: {sum(map(len, parts))} records with exchanged photos")


if __name__ == "__main__":
    run_command(main)

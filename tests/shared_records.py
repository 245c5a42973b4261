"""Records whose photos are stored once, beside the same ones that each hold their own."""

import itertools
import pathlib
import shutil

from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.listed_shards import DATASET_JSON
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.records.shards import read_shard
from kaleido_tf.records.shared_photos import share_photo


def share(folder: pathlib.Path, other: pathlib.Path) -> pathlib.Path:
    """Copies records to `other`, where what follows a record of the same photo refers to it."""
    shutil.copytree(folder, other)
    for path in other.glob("*.tfrecord"):
        lines = []
        for _, records in itertools.groupby(read_shard(str(path)), key=lambda r: r.photo):
            records = list(records)
            lines += share_photo(records) if len(records) > 1 else [records[0].serialize()]
        write_shard(path, lines)
    description = read_json_object(other / DATASET_JSON)
    write_json(other / DATASET_JSON, {**description, "share_photos": True})
    return other

"""An application for Vespa, and what it is fed: `python -m docs.vector_stores.vespa_feed
--parquet=index/embeddings.parquet --records=records/valid --exported=exported_onnx
--output_dir=vespa`. Writes `application/`, the package with the model in it, and `feed.jsonl`.
"""

import json
import pathlib

from absl import flags

from docs.vector_stores import rows, vespa
from docs.vector_stores.exported import Exported
from kaleido_tf.command import run_command
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.whole_files import appears_whole
from kaleido_tf.serving.recorded_photos import RecordedPhotos
from kaleido_tf.text import Vocabulary

flags.DEFINE_string("parquet", None, "An index's embeddings.parquet.", required=True)
flags.DEFINE_string("records", None, "Records of the index's photos.", required=True)
flags.DEFINE_string("exported", None, "Folder of --mode=export --format=onnx.", required=True)
flags.DEFINE_string("output_dir", None, "A folder that is not there yet.", required=True)
FLAGS = flags.FLAGS


def main(_):
    """See the module."""
    file, exported = rows.open_parquet(FLAGS.parquet), Exported(FLAGS.exported)
    _check(file, exported)
    vocabulary = Vocabulary(exported.folder / "vocab.txt")
    shards = find_files(FLAGS.records)
    table = read_record_table(shards, vocabulary, exported.text_length, exported.feature_size)
    with appears_whole(FLAGS.output_dir) as folder:
        folder.mkdir()
        found = vespa.documents(file, RecordedPhotos([table]), exported)
        count, shape = vespa.write_feed(folder / "feed.jsonl", found)
        vespa.write_application(folder / "application", file, exported, shape)
    print(f"{count} photos are in {FLAGS.output_dir}")


def _check(file, exported: Exported):
    said = json.loads(file.schema_arrow.metadata[b"kaleido_tf"])
    if said["model"] != exported.digest:
        raise InputError(
            f"--exported must be the model of --parquet ({said['model']}). Received:"
            f" {exported.digest}"
        )
    if pathlib.Path(FLAGS.output_dir).exists():
        raise InputError(f"--output_dir must not be there yet. Received: {FLAGS.output_dir}")


if __name__ == "__main__":
    run_command(main)

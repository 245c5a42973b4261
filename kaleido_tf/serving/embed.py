"""Writes the index of a catalogue's photos, to be searched: `python -m kaleido_tf.serving.embed
--records=records/valid --model=model --output_dir=index`.

Killed half way, the same command goes on. Of a finished index the vectors stay as they are.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.search.manifest import DTYPES
from kaleido_tf.serving import network_flags
from kaleido_tf.serving.network_flags import define_network_flags

flags.DEFINE_string("records", None, "Records: a file, a glob or a directory of shards.")
flags.DEFINE_string("model", None, "Folder or checkpoint of a trained model.")
flags.DEFINE_string("output_dir", None, "Folder of the index.")
flags.DEFINE_string(
    "fields",
    None,
    "products.jsonl whose further fields (colour, price, ...) filters are to know; default: title,"
    " text, category and sub-category of the records alone.",
)
flags.DEFINE_string(
    "held_out",
    None,
    "Records that training has not seen: from what searches find among them follows how probable a"
    " match is. Without it answers have scores and no probabilities.",
)
flags.DEFINE_enum("dtype", "float16", DTYPES, "Numbers of the vectors.")
flags.DEFINE_boolean(
    "parquet", True, "Whether to write embeddings.parquet beside them, for vector stores."
)
define_network_flags("for searches by photos from outside, which may name it, too.")
flags.mark_flags_as_required(["records", "model", "output_dir"])
flags.adopt_module_key_flags(network_flags)
FLAGS = flags.FLAGS


def main(_) -> None:
    """Flags to an index."""
    from kaleido_tf.serving.catalogue_index import IndexInputs, write_catalogue_index
    from kaleido_tf.serving.photo_patches import NetworkFiles
    from kaleido_tf.serving.plain_fields import read_plain_fields

    inputs = IndexInputs(
        model=FLAGS.model,
        records=FLAGS.records,
        fields=read_plain_fields(FLAGS.fields) if FLAGS.fields else {},
        held_out=FLAGS.held_out,
        networks=network_flags.networks_of_flags(NetworkFiles()),
        dtype=FLAGS.dtype,
        parquet=FLAGS.parquet,
    )
    write_catalogue_index(inputs, pathlib.Path(FLAGS.output_dir))


if __name__ == "__main__":
    run_command(main)

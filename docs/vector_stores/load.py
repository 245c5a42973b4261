"""Loads an index's Parquet file into a vector store: `python -m docs.vector_stores.load
--store=qdrant --url=http://localhost:6333 --parquet=index/embeddings.parquet`.
"""

from absl import flags

from docs.vector_stores.stores import STORES, fill
from kaleido_tf.command import run_command

flags.DEFINE_enum("store", None, [*STORES], "What it is loaded into.", required=True)
flags.DEFINE_string("url", None, "Where the store is.", required=True)
flags.DEFINE_string("parquet", None, "An index's embeddings.parquet.", required=True)
FLAGS = flags.FLAGS


def main(_):
    """See the module."""
    _, count = fill(FLAGS.store, FLAGS.url, FLAGS.parquet)
    print(f"{count} photos are in {FLAGS.store}")


if __name__ == "__main__":
    run_command(main)

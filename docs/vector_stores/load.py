"""Loads an index's Parquet file into a vector store: `python -m docs.vector_stores.load
--store=qdrant --url=http://localhost:6333 --parquet=index/embeddings.parquet`.
"""

from absl import flags

from docs.vector_stores import elastic, milvus, qdrant, rows
from kaleido_tf.command import run_command

STORES = {"milvus": milvus, "qdrant": qdrant, "elasticsearch": elastic}
flags.DEFINE_enum("store", None, [*STORES], "What it is loaded into.", required=True)
flags.DEFINE_string("url", None, "Where the store is.", required=True)
flags.DEFINE_string("parquet", None, "An index's embeddings.parquet.", required=True)
FLAGS = flags.FLAGS


def main(_):
    """See the module."""
    file, store = rows.open_parquet(FLAGS.parquet), STORES[FLAGS.store]
    client, done = store.connect(FLAGS.url), 0
    store.create(client, rows.components(file))
    for batch in rows.batches(file):
        store.add(client, batch)
        done += len(batch)
    print(f"{done} photos are in {FLAGS.store}")


if __name__ == "__main__":
    run_command(main)

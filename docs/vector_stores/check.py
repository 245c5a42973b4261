"""Checks the schema files by the stores' own clients, and what stores find by the project's search:
`python -m docs.vector_stores.check --index=index --questions=questions.jsonl
--typescript=elastic_check.ts`.

Milvus Lite and Qdrant's local store, both in this process, are loaded with the index's Parquet file
and asked; the first products must be those of `ExactSearch`, in its order. Vespa's client writes
the schema that ours has to be. For Elasticsearch a TypeScript file is written, which the compiler
holds against the types of its client.
"""

import json
import os
import tempfile
from importlib.metadata import version

import numpy as np
from absl import flags

from docs.vector_stores import rows, vespa_schema
from docs.vector_stores.stores import STORES, fill
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.parquet_file import NAME

flags.DEFINE_string("index", None, "An index with its embeddings.parquet.", required=True)
flags.DEFINE_string("questions", None, "What docs.vector_stores.questions wrote.", required=True)
flags.DEFINE_string("typescript", None, "The file that is written.", required=True)
flags.DEFINE_integer("count", 10, "Products that are asked for.", lower_bound=1)
FLAGS = flags.FLAGS
TYPESCRIPT = """import { estypes } from '@elastic/elasticsearch'
export const index: estypes.IndicesCreateRequest = %s
export const query: estypes.SearchRequest = %s
export const knn: estypes.SearchRequest = %s
"""


def main(_):
    """See the module."""
    index = open_index(FLAGS.index)
    queries = np.array([json.loads(line)["query"] for line in read_lines(FLAGS.questions)])
    found = ExactSearch(index).search(queries.astype(np.float32), FLAGS.count)
    with tempfile.TemporaryDirectory() as folder:
        for name, url, package in (
            ("milvus", os.path.join(folder, "lite.db"), "milvus-lite"),
            ("qdrant", ":memory:", "qdrant-client"),
        ):
            print(f"{package} {version(package)}: {_agreement(name, url, queries, *found, index)}")
    if (rows.FOLDER / vespa_schema.PATH).read_text().split() != vespa_schema.rendered().split():
        raise InputError(f"{vespa_schema.PATH} is not what pyvespa writes")
    print(f"pyvespa {version('pyvespa')}: writes the schema of {vespa_schema.PATH}")
    _write_typescript(index.dimension)


def _agreement(name: str, url: str, queries, best_rows, scores, index) -> str:
    client, _ = fill(name, url, os.path.join(FLAGS.index, NAME))
    same, apart = 0, 0.0
    for query, row, score in zip(queries, best_rows, scores):
        products, others = zip(*STORES[name].best_products(client, query, FLAGS.count))
        same += [*products] == [index.items[number]["product_id"] for number in row]
        apart = max(apart, float(np.abs(np.array(others) - score).max()))
    client.close()
    return (
        f"the same {FLAGS.count} products for {same} of {len(queries)}, scores within {apart:.1e}"
    )


def _write_typescript(dimension: int):
    query = rows.asked(np.zeros(dimension))
    bodies = [rows.filled_json("elasticsearch_index.json", COMPONENTS=dimension + 1)]
    for name in ("elasticsearch_query.json", "elasticsearch_knn_query.json"):
        bodies.append(rows.filled_json(name, COUNT=FLAGS.count, QUERY=query))
    bodies = [json.dumps({"index": "products", **body}) for body in bodies]
    with open(FLAGS.typescript, "w", encoding="utf-8") as file:
        file.write(TYPESCRIPT % tuple(bodies))


if __name__ == "__main__":
    run_command(main)

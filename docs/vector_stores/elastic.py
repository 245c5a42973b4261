"""Elasticsearch: `elasticsearch_index.json`, and what is asked: `elasticsearch_query.json` looks at
every photo, `elasticsearch_knn_query.json` walks a graph.
"""

import numpy as np

from docs.vector_stores.rows import asked, client_library, filled_json

INDEX = "products"
NOT_NEGATIVE = 4
"""What the query adds to scores: Elasticsearch refuses negative ones, ours are above -4."""


def connect(url: str):
    """A client. Args: url: `http://host:9200`."""
    return client_library("elasticsearch", "elasticsearch").Elasticsearch(url)


def create(client, components: int) -> None:
    """The index and its mapping."""
    client.indices.create(
        index=INDEX, **filled_json("elasticsearch_index.json", COMPONENTS=components)
    )


def add(client, rows: list[dict]) -> None:
    """Photos that are there already are replaced."""
    helpers = client_library("elasticsearch.helpers", "elasticsearch")
    helpers.bulk(client, ({"_index": INDEX, "_id": row["id"], "_source": row} for row in rows))


def best_products(client, query: np.ndarray, k: int) -> list[tuple[str, float]]:
    """The best k products and their scores. Args: query: [D] of length 1."""
    body = filled_json("elasticsearch_query.json", COUNT=k, QUERY=asked(query))
    source = body.pop("_source")
    found = client.search(index=INDEX, source=source, **body)["hits"]["hits"]
    return [(hit["_source"]["product_id"], hit["_score"] - NOT_NEGATIVE) for hit in found]

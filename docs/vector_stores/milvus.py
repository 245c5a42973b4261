"""Milvus: `milvus_collection.json`, and what is asked."""

import numpy as np

from docs.vector_stores.rows import asked, client_library, filled_json

COLLECTION = "products"


def connect(url: str):
    """A client. Args: url: `http://host:19530`, or a file (.db) of Milvus Lite."""
    return client_library("pymilvus", "pymilvus milvus-lite").MilvusClient(uri=url)


def create(client, components: int) -> None:
    """The collection and its index."""
    library = client_library("pymilvus", "pymilvus milvus-lite")
    said = filled_json("milvus_collection.json", COMPONENTS=components)
    schema = library.CollectionSchema.construct_from_dict(said["schema"])
    schema.verify()
    index = client.prepare_index_params()
    index.add_index(**said["index"])
    client.create_collection(COLLECTION, schema=schema, index_params=index)


def add(client, rows: list[dict]) -> None:
    """Photos that are there already are replaced."""
    client.upsert(COLLECTION, rows)


def best_products(client, query: np.ndarray, k: int) -> list[tuple[str, float]]:
    """The best k products and their scores. Args: query: [D] of length 1."""
    found = client.search(
        COLLECTION,
        [asked(query)],
        anns_field="vector",
        limit=k,
        group_by_field="product_id",
        output_fields=["product_id"],
        consistency_level="Strong",
    )
    return [(hit["entity"]["product_id"], hit["distance"]) for hit in found[0]]

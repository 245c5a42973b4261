"""Qdrant: `qdrant_collection.json`, and what is asked. `:memory:` is a store in this process."""

import uuid

import numpy as np

from docs.vector_stores.rows import asked, client_library, filled_json

COLLECTION = "products"


def connect(url: str):
    """A client. Args: url: `http://host:6333`, or `:memory:`."""
    return client_library("qdrant_client", "qdrant-client").QdrantClient(url)


def create(client, components: int) -> None:
    """The collection and the index of product ids."""
    models = client_library("qdrant_client", "qdrant-client").models
    said = filled_json("qdrant_collection.json", COMPONENTS=components)
    wanted = models.CreateCollection.model_validate(said["collection"], strict=False)
    client.create_collection(COLLECTION, vectors_config=wanted.vectors)
    index = models.CreateFieldIndex.model_validate(said["payload_index"])
    client.create_payload_index(COLLECTION, index.field_name, index.field_schema)


def add(client, rows: list[dict]) -> None:
    """Photos that are there already are replaced: a point's id is made of the photo's."""
    models = client_library("qdrant_client", "qdrant-client").models
    points = [
        models.PointStruct(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, row["id"])),
            vector=row["vector"],
            payload={name: value for name, value in row.items() if name != "vector"},
        )
        for row in rows
    ]
    client.upsert(COLLECTION, points)


def best_products(client, query: np.ndarray, k: int) -> list[tuple[str, float]]:
    """The best k products and their scores. Args: query: [D] of length 1."""
    models = client_library("qdrant_client", "qdrant-client").models
    found = client.query_points_groups(
        COLLECTION,
        group_by="product_id",
        query=asked(query),
        limit=k,
        group_size=1,
        search_params=models.SearchParams(exact=True),
    )
    return [(group.id, group.hits[0].score) for group in found.groups]

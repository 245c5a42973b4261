"""The stores that take rows through a client, each a module with `connect`, `create`, `add` and
`best_products`.
"""

from docs.vector_stores import elastic, milvus, qdrant, rows

STORES = {"milvus": milvus, "qdrant": qdrant, "elasticsearch": elastic}


def fill(name: str, url: str, parquet: str) -> tuple[object, int]:
    """Makes a store's collection and loads a file. Returns: the client, and how many photos are in.

    Raises: InputError for another file, or a client that is not installed.
    """
    file, store = rows.open_parquet(parquet), STORES[name]
    client, done = store.connect(url), 0
    store.create(client, rows.components(file))
    for batch in rows.batches(file):
        store.add(client, batch)
        done += len(batch)
    return client, done

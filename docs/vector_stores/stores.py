"""The stores that take rows through a client, each a module with `connect`, `create`, `add` and
`best_products`.
"""

from docs.vector_stores import elastic, milvus, qdrant, rows
from kaleido_tf.errors import InputError

STORES = {"milvus": milvus, "qdrant": qdrant, "elasticsearch": elastic}


def fill(name: str, url: str, parquet: str) -> tuple[object, int]:
    """Makes a store's collection and loads a file. Returns: the client, and how many photos are in.

    Raises: InputError for another file, a client that is not installed, or a store that refuses.
    """
    file, done = rows.open_parquet(parquet), 0
    store, client = STORES[name], _new_collection(name, url, rows.components(file))
    for batch in rows.batches(file):
        store.add(client, batch)
        done += len(batch)
    return client, done


def _new_collection(name: str, url: str, components: int):
    try:
        client = STORES[name].connect(url)
        STORES[name].create(client, components)
    except InputError:
        raise
    except Exception as error:  # each client has classes of its own
        raise InputError(
            f"--url must be of a {name} that has no `products` yet. Received: {url}: {error}"
        ) from error
    return client

"""The flags of the commands that search an index, and the searcher that they describe."""

import dataclasses

from absl import flags

from kaleido_tf.search.faiss_search import KINDS
from kaleido_tf.serving.index_source import IndexSource
from kaleido_tf.serving.network_flags import define_network_flags, networks_of_flags
from kaleido_tf.serving.opened_index import EXACT
from kaleido_tf.serving.searcher import Searcher


def define_searcher_flags() -> None:
    """Defines them; the command adopts them as its own (`flags.adopt_module_key_flags`), for
    --help.
    """
    flags.DEFINE_string("index", None, "Folder that kaleido_tf.serving.embed wrote.", required=True)
    flags.DEFINE_string("model", None, "Where the model is now; default: where the index says.")
    flags.DEFINE_list("records", None, "Where the records are now; default: where the index says.")
    flags.DEFINE_enum(
        "engine",
        EXACT,
        [EXACT, *KINDS],
        "exact looks at every photo with NumPy; flat and hnsw by FAISS (extra faiss), whose graph"
        " of hnsw each command builds anew.",
    )
    define_network_flags("of photos from outside; default: where the index says.")


def open_searcher() -> Searcher:
    """Raises: InputError for an index that cannot be opened."""
    values = flags.FLAGS

    def moved(source: IndexSource) -> IndexSource:
        return dataclasses.replace(
            source,
            model=values.model or source.model,
            records=tuple(values.records or source.records),
            networks=networks_of_flags(source.networks),
        )

    return Searcher(values.index, moved, values.engine)

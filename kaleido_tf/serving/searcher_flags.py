"""The flags of the commands that search an index, and the searcher that they describe."""

import dataclasses
import os
import pathlib

from absl import flags

from kaleido_tf.search.faiss_search import KINDS
from kaleido_tf.serving.index_source import NAME, read_source
from kaleido_tf.serving.network_flags import define_network_flags, networks_of_flags
from kaleido_tf.serving.searcher import EXACT, Searcher


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
    folder = pathlib.Path(values.index)
    if not (folder / NAME).is_file():  # what needs it says so
        return Searcher(folder, engine=values.engine)
    source = read_source(folder)
    given = {name: values[name].value for name in ("model", "records") if values[name].value}
    if "records" in given:
        given["records"] = tuple(given["records"])
    networks = networks_of_flags(source.networks)
    source = dataclasses.replace(source, **given, networks=networks)
    return Searcher(os.fspath(folder), source, values.engine)

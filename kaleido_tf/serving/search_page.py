"""A page to search a catalogue's index with words and photos, for this machine's browser:
`python -m kaleido_tf.serving.search_page --index=index --catalogue=shop/products.jsonl`.

Ctrl-C ends it. Programs ask http://127.0.0.1:8080/api/search for the same answers as JSON.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.serving import searcher_flags
from kaleido_tf.serving.page_server.http_server import PageServer
from kaleido_tf.serving.page_server.pictures import check_shows, open_pictures
from kaleido_tf.serving.page_server.routes import Routes
from kaleido_tf.serving.searcher_flags import define_searcher_flags

flags.DEFINE_string(
    "catalogue",
    None,
    "Catalogue of the products, for their photos: products.jsonl or its folder, Fashion-Gen HDF5"
    " files, or tfds:NAME; default: no photos.",
)
flags.DEFINE_integer(
    "port",
    8080,
    "Port of 127.0.0.1, this machine alone; 0: any that is free.",
    lower_bound=0,
    upper_bound=65535,
)
define_searcher_flags()
flags.adopt_module_key_flags(searcher_flags)
FLAGS = flags.FLAGS


def main(_) -> None:
    """Takes the port, opens catalogue and index, then answers until it is stopped."""
    with PageServer(FLAGS.port) as server:
        pictures = open_pictures(FLAGS.catalogue)
        searcher = searcher_flags.open_searcher()
        searcher.open_model()  # a wrong one is said now, not to the first who asks
        check_shows(pictures, searcher.index, FLAGS.catalogue)
        server.find = Routes(searcher, pictures).find
        note = "" if pictures else " (no photos: --catalogue was not given)"
        print(f"{server.address}{note}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()  # below the ^C of a terminal


if __name__ == "__main__":
    run_command(main)

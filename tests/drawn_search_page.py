"""`kaleido_tf.serving.search_page` with a searcher that needs no model: python
tests/drawn_search_page.py --index=FOLDER --catalogue=MANIFEST --port=0. The index is opened as it
is; where there is no such folder, one of the catalogue is written.
"""

import os
import runpy
import signal
import sys
import types

from absl import flags

from kaleido_tf.search.index_folder import open_index
from tests.word_searcher import WordSearcher, write_index_of

FLAGS = flags.FLAGS


def open_searcher():
    manifest = FLAGS.catalogue
    if os.path.exists(FLAGS.index):
        return WordSearcher(open_index(FLAGS.index), manifest)
    return WordSearcher(write_index_of(manifest, FLAGS.index), manifest)


if __name__ == "__main__":
    # As from a terminal: what a script starts in the background ignores Ctrl-C, and so do its own.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module = types.ModuleType("kaleido_tf.serving.searcher_flags")
    module.open_searcher = open_searcher
    module.define_searcher_flags = lambda: flags.DEFINE_string(
        "index", None, "Folder of the index.", required=True, module_name=module.__name__
    )
    sys.modules[module.__name__] = module
    runpy.run_module("kaleido_tf.serving.search_page", run_name="__main__", alter_sys=True)

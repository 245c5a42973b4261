"""Candidate lists of a split: `python -m data_prep.write_retrieval_candidates
--records=records/valid --output_dir=...`.
"""

import os
import pathlib

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from data_prep.record_writing.candidates import CandidateSettings, draw_candidates, write_candidates
from kaleido_tf.command import run_command
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.records.dataset_json import size_of
from kaleido_tf.text import Vocabulary

_DEFAULTS = CandidateSettings()

flags.DEFINE_string(
    "records", None, "Records of the split: a file, a glob or a directory of shards.", required=True
)
flags.DEFINE_string("output_dir", None, "Where the lists go; default: the records' own folder.")
flags.DEFINE_integer(
    "num_queries", None, "Query products; default: every product that can be one.", lower_bound=1
)
flags.DEFINE_integer(
    "num_others",
    _DEFAULTS.num_others,
    "Other products of the same sub-category a query.",
    lower_bound=1,
)
flags.DEFINE_integer("seed", _DEFAULTS.seed, "Of the draw.", 0, 2**32 - 1)
flags.DEFINE_enum(
    "short_lists",
    _DEFAULTS.short_lists,
    ["leave_out", "keep"],
    "Queries whose sub-category is too small.",
)
FLAGS = flags.FLAGS


def main(_):
    files = find_files(FLAGS.records)
    folder = pathlib.Path(files[0]).parent
    output_dir = FLAGS.output_dir or str(folder)
    check_writable(output_dir)
    table = read_record_table(files, Vocabulary(folder / "vocab.txt"), 64, size_of(files))
    settings = CandidateSettings(FLAGS.num_queries, FLAGS.num_others, FLAGS.seed, FLAGS.short_lists)
    lists, totals = draw_candidates(table, settings)
    write_candidates(lists, totals, output_dir)
    print(
        f"{output_dir}: {totals['queries']} queries a direction, 1 + {settings.num_others}"
        f" candidates of one sub-category; {totals['products_in_too_small_subcategories']} products"
        f" have too few others in their sub-category ({len(totals['left_out'])} left out,"
        f" {totals['queries_with_fewer_others']} kept with fewer)"
    )
    if totals["others_of_the_same_text_excluded"]:
        print(
            f"{totals['queries_with_others_of_the_same_text']} queries have others of their very"
            f" text in their sub-category: {totals['others_of_the_same_text_excluded']} in all,"
            " left out of the lists, since they are no wrong answers"
        )
    if totals["queries_asked_for"] and totals["queries"] < totals["queries_asked_for"]:
        print(
            f"only {totals['queries']} of the {totals['queries_asked_for']} queries asked for could"
            " be drawn"
        )


if __name__ == "__main__":
    run_command(main)

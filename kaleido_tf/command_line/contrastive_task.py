"""Fine-tuning to retrieve by vectors, for families with a contrast (`families.contrast_task`):
flags to a run on records (FashionViL's cross-modal retrieval).

The loss is that of pre-training: photos and texts of a batch find each other. The release shows
each item by one photo that is drawn; here every photo is shown.
"""

import pathlib

from absl import flags

from kaleido_tf.command_line.gallery_task import leave_figures, vector_figures
from kaleido_tf.command_line.pair_scores import write_scores
from kaleido_tf.command_line.run_folder import leave_settings
from kaleido_tf.command_line.session import Session
from kaleido_tf.command_line.setting_flags import read_settings
from kaleido_tf.command_line.shared_flags import decisive_of
from kaleido_tf.command_line.vector_ranks import (
    VectorRanks,
    open_lists,
    read_yardstick,
    vector_ranks,
    verdicts,
    write_yardstick,
)
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.verdict import Verdict
from kaleido_tf.families import build_model, contrast_task, read_examples
from kaleido_tf.files.whole_files import check_writable, write_json
from kaleido_tf.objectives.fine_tuning_config import FineTuningConfig
from kaleido_tf.objectives.list_config import ListConfig
from kaleido_tf.settings import decisive_flags
from kaleido_tf.training.run import train as run_training
from kaleido_tf.training.strategy import make_strategy, set_precision

FLAGS = flags.FLAGS
VERDICTS = "gallery_verdicts.json"


def train(module, session: Session, place: pathlib.Path, evaluates: bool) -> None:
    """Trains a model, lets it rank --eval_input_fp, and says whether it ranks better than what it
    started from.

    Args: module: the script whose flags are kept. place: where the evaluation is written.
    """
    _refuse_list_settings()
    config, folder = session.config, pathlib.Path(FLAGS.model_dir)
    tasks = (contrast_task(config),)
    settings = read_settings(ExamplesConfig, text_length=session.text_length)

    def open_examples(pattern):
        return read_examples(pattern, settings, config, tasks, session.vocabulary)

    examples, eval_data, lists = open_examples(FLAGS.train_input_fp), None, {}
    if evaluates:
        eval_data = open_examples(FLAGS.eval_input_fp)
        lists = open_lists(FLAGS.eval_input_fp, eval_data.table)
    named = ("mirror_probability", "input_sequence_length", "task")
    decisive = (*decisive_of(FineTuningConfig), *named)
    leave_settings(FLAGS.model_dir, config, session.source.vocabulary, module, decisive)

    def initialize(model, strategy) -> None:
        del strategy
        begin(model, session, examples)
        if evaluates:
            found = vector_ranks(model, eval_data.table, lists).found
            write_yardstick(folder, found)
            for name, each in found.items():
                print(f"yardstick, what it starts from: {name} {each.mean:.4f}", flush=True)

    model, _ = run_training(
        session.run,
        lambda: build_model(config, tasks, session.text_length),
        examples,
        eval_data,
        initialize,
    )
    if evaluates:
        ranks = vector_ranks(model, eval_data.table, lists)
        _report(place, ranks, verdicts(read_yardstick(folder), ranks.found))
    else:
        print("no verdict: --mode=train evaluates nothing")


def begin(model, session: Session, examples) -> None:
    """Gives a new model the weights of its start. As in the release only the encoders go over: what
    the contrast learns beside them, the length of the vectors, begins anew.
    """
    model.prepare(examples)
    if session.source.starts:
        load_start(model, *session.source.starts)
    model.restart_contrast()


def rank(session: Session, records: str, place: pathlib.Path) -> None:
    """Lets a trained model rank the records at `records`, and leaves the figures in `place`."""
    check_writable(place)
    table = session.open_table(records)
    lists = open_lists(records, table)
    set_precision(session.run.device.precision)
    with make_strategy(session.run.device).scope():
        model = build_model(session.config, (), session.text_length)
        _ = model.matcher
    load_weights(model, session.source.start)
    _report(place, vector_ranks(model, table, lists), {})
    print("no verdict: the yardstick is what a run begins with (--mode=train_and_evaluate)")


def _report(place: pathlib.Path, ranks: VectorRanks, found: dict[str, Verdict]) -> None:
    """Writes and prints the figures. Args: found: verdicts by figure, where there are any."""
    leave_figures(vector_figures(ranks.gallery), place)
    of_lists = {f"{direction} Rank@1" for direction in ranks.lists}
    of_gallery = {name: each for name, each in found.items() if name not in of_lists}
    for verdict in of_gallery.values():
        print(verdict)
    if of_gallery:
        write_json(place / VERDICTS, {name: each.content() for name, each in of_gallery.items()})
    for direction, listed in ranks.lists.items():
        write_scores(
            place,
            direction,
            listed.pairs,
            listed.logits,
            FLAGS.eval_batch_size,
            f"{direction}_retrieval_metrics.json",
            found.get(f"{direction} Rank@1"),
        )


def _refuse_list_settings() -> None:
    """Raises: InputError for a setting of learning from lists, which would change nothing."""
    for name in decisive_flags((ListConfig,)):
        if FLAGS[name].value != FLAGS[name].default:
            raise InputError(
                f"--{name} is for models that learn from lists of candidates (`comparison_size`)."
                f" Received: --{name}={FLAGS[name].value} for a model that learns from batches"
            )

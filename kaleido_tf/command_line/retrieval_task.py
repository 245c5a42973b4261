"""Learning to rank: flags to a run on records. A model that compares learns from lists of
candidates, one of a family with a contrast from batches (contrastive_task.py).
"""

import pathlib

import numpy as np
from absl import flags

from kaleido_tf.command_line import contrastive_task
from kaleido_tf.command_line.examples import PairsToScore, pairs_of_candidates
from kaleido_tf.command_line.pair_scores import write_scores
from kaleido_tf.command_line.retrieval_model import CandidateScores, begin, reading_config
from kaleido_tf.command_line.run_folder import leave_settings
from kaleido_tf.command_line.session import Session, begin_training, begin_use
from kaleido_tf.command_line.setting_flags import read_settings
from kaleido_tf.command_line.shared_flags import decisive_of, is_given, need
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS, found_first
from kaleido_tf.evaluation.verdict import Verdict, compare
from kaleido_tf.families import build_model, contrast_task
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.objectives.comparison_folds import check_texts_for_folds
from kaleido_tf.objectives.fine_tuning_config import FineTuningConfig
from kaleido_tf.objectives.list_config import ListConfig
from kaleido_tf.objectives.list_examples import ListExamples
from kaleido_tf.objectives.list_matching import ListMatching
from kaleido_tf.training.run import train as run_training
from kaleido_tf.training.strategy import make_strategy, set_precision

FLAGS = flags.FLAGS
EVALUATION = "evaluation"
"""The folder within a model's that an evaluation writes to."""


def run(module) -> None:
    """Does what --mode says. Args: module: the script whose flags are kept."""
    if FLAGS.input_schema:
        raise InputError(
            "--task=retrieval reads records (data_prep), since its lists are drawn from products."
            " Received: --input_schema"
        )
    if FLAGS.mode in ("evaluate", "predict"):
        rank()
    else:
        train(module, evaluates=FLAGS.mode == "train_and_evaluate")


def train(module, evaluates: bool) -> None:
    """Trains a model on lists, lets it rank the candidates of --eval_input_fp, and says whether it
    ranks better than its comparison alone; of a family with a contrast as `contrastive_task.train`.
    """
    need("train_input_fp", "model_dir", *(["eval_input_fp"] if evaluates else []))
    settings = read_settings(ListConfig)
    dropout = read_settings(FineTuningConfig).dropout
    session = begin_training("matching", FLAGS.model_config, dropout)
    folder = pathlib.Path(FLAGS.model_dir)
    if contrast_task(session.config):
        contrastive_task.train(module, session, folder / EVALUATION, evaluates)
        return
    config = reading_config(session.config)
    if is_given("mirror_probability"):
        raise InputError(
            f"--mirror_probability is for models that read pixels. Received: a {config.model_type}"
        )
    table = session.open_table(FLAGS.train_input_fp)
    check_texts_for_folds(table.texts)
    examples = ListExamples(table, folder, settings, session.run.seed)
    pairs = _open_pairs(FLAGS.eval_input_fp, session) if evaluates else {}
    decisive = (*decisive_of(ListConfig, FineTuningConfig), "input_sequence_length", "task")
    leave_settings(FLAGS.model_dir, config, session.source.vocabulary, module, decisive)
    yardsticks: dict[str, np.ndarray] = {}

    def initialize(model, strategy) -> None:
        begin(model, strategy, session, examples, settings, folder)
        # Before training: the comparison stays as it is from here on.
        for direction, scored in pairs.items():
            scores = CandidateScores(model.backbone, scored, session, FLAGS.eval_batch_size)
            yardsticks[direction] = scores.of_comparison()
            print(_yardstick_line(direction, scored, yardsticks[direction]), flush=True)

    model, _ = run_training(
        session.run,
        lambda: ListMatching(config, session.text_length, settings),
        examples,
        None,
        initialize,
    )
    if evaluates:
        place, batch = folder / EVALUATION, FLAGS.eval_batch_size
        _report(place, model.backbone, pairs, session, batch, yardsticks)
    else:
        print("no verdict: --mode=train evaluates nothing")


def rank() -> None:
    """Lets a model rank the candidates of --eval_input_fp or --predict_input_fp."""
    named = "eval_input_fp" if FLAGS.mode == "evaluate" else "predict_input_fp"
    need(named)
    session = begin_use("matching")
    config = session.config
    place = session.output_folder(EVALUATION if FLAGS.mode == "evaluate" else "")
    if contrast_task(config):
        contrastive_task.rank(session, FLAGS[named].value, place)
        return
    if not getattr(config, "reads_comparison", False):
        raise InputError(
            f"A model that was fine-tuned for --task=retrieval is needed. {session.source.start}"
            " was not (pretrain_main.py --mode=predict scores candidates with any model)"
        )
    check_writable(place)
    pairs = _open_pairs(FLAGS[named].value, session)
    set_precision(session.run.device.precision)
    with make_strategy(session.run.device).scope():
        model = build_model(config, (), session.text_length)
        _ = model.matcher
    load_weights(model, session.source.start)
    batch = FLAGS.eval_batch_size if FLAGS.mode == "evaluate" else FLAGS.predict_batch_size
    _report(place, model, pairs, session, batch, {})


def _open_pairs(records: str, session: Session) -> dict[str, PairsToScore]:
    return {
        direction: pairs_of_candidates(
            records, direction, session.text_length, session.config, session.vocabulary, None
        )
        for direction in DIRECTIONS
    }


def _report(
    place: pathlib.Path,
    model,
    pairs: dict[str, PairsToScore],
    session: Session,
    batch_size: int,
    yardsticks: dict[str, np.ndarray],
) -> None:
    """Ranks, writes, judges. Args: yardsticks: the comparison's logits, where they are known."""
    for direction, scored in pairs.items():
        scores = CandidateScores(model, scored, session, batch_size)
        if direction not in yardsticks:  # a run that was gone on with, or another command
            yardsticks[direction] = scores.of_comparison()
            print(_yardstick_line(direction, scored, yardsticks[direction]), flush=True)
        yardstick, logits = yardsticks[direction], scores.of_model()
        metrics = f"{direction}_retrieval_metrics.json"
        verdict = _judge(direction, scored, yardstick, logits)
        write_scores(place, direction, scored, logits, batch_size, metrics, verdict)


def _yardstick_line(direction: str, scored: PairsToScore, logits: np.ndarray) -> str:
    found = found_first(scored.queries, scored.labels, logits[:, 1])
    return f"yardstick, the comparison alone: {direction} Rank@1 {found.mean():.4f}"


def _judge(
    direction: str, scored: PairsToScore, yardstick: np.ndarray, logits: np.ndarray
) -> Verdict:
    """Rank@1 of the comparison alone, which is what the model begins with, and of the model."""
    before, after = (
        found_first(scored.queries, scored.labels, part[:, 1]) for part in (yardstick, logits)
    )
    queries = list(dict.fromkeys(scored.queries.tolist()))
    return compare(
        f"{direction} Rank@1",
        lambda numbers: before[numbers].mean(),
        lambda numbers: after[numbers].mean(),
        queries,
    )

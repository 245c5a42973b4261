"""Recognition from rows of the original (`--input_schema`), as its script has it: classes are
numbers, and the head has as many outputs as Fashion-Gen has classes.
"""

import pathlib

from absl import flags

from kaleido_tf.command_line.examples import open_rows
from kaleido_tf.command_line.run_folder import leave_settings
from kaleido_tf.command_line.session import begin_training, begin_use, print_figures
from kaleido_tf.command_line.shared_flags import decisive_of, need
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.errors import InputError
from kaleido_tf.objectives.class_list import ClassList
from kaleido_tf.objectives.recognition import NUM_CLASSES, Classifier
from kaleido_tf.training.run import evaluate as run_evaluation
from kaleido_tf.training.run import train as run_training

FLAGS = flags.FLAGS
LABELS = {"catepred": "img_category_id", "subcatepred": "img_subcategory_id"}
FOR_RECORDS = {
    "model_config": None,
    "modalities": "both",
    "freeze_encoder": False,
    "class_weights": "none",
    "dropout": None,
}
"""Flags that rows do not have, and what they are then."""


def run(module) -> None:
    """Does what --mode says. Args: module: the script whose flags are kept."""
    for name, value in FOR_RECORDS.items():
        if FLAGS[name].value != value:
            raise InputError(
                f"--{name} is for records; rows (--input_schema) are trained on as in the original."
                f" Received: --{name}={FLAGS[name].value}"
            )
    if FLAGS.mode == "predict":
        raise InputError("--mode=predict reads records. Received: rows (--input_schema)")
    if FLAGS.mode == "evaluate":
        _evaluate()
    else:
        _train(module, evaluates=FLAGS.mode == "train_and_evaluate")


def _train(module, evaluates: bool) -> None:
    needed = ("train_input_fp", "model_dir", "pretrain_model_name_or_path")
    need(*needed, *(["eval_input_fp"] if evaluates else []))
    session = begin_training("recognition")
    source = session.source
    train_data = _open(FLAGS.train_input_fp, session)
    eval_data = _open(FLAGS.eval_input_fp, session) if evaluates else None
    decisive = (*decisive_of(), "input_sequence_length", "task", "num_classes")
    leave_settings(FLAGS.model_dir, session.config, source.vocabulary, module, decisive)
    ClassList(FLAGS.task, "both", _num_classes()).write(pathlib.Path(FLAGS.model_dir))
    _, figures = run_training(
        session.run,
        lambda: _build(session),
        train_data,
        eval_data,
        lambda model, strategy: load_start(model.backbone, source.start),
    )
    print_figures("evaluation", figures)


def _evaluate() -> None:
    """Loss, accuracy and F1 of a fine-tuned checkpoint on --eval_input_fp."""
    need("eval_input_fp")
    session = begin_use("recognition")
    weights = session.source.start
    figures = run_evaluation(
        session.run,
        lambda: _build(session),
        _open(FLAGS.eval_input_fp, session),
        lambda model: load_weights(model, weights),
    )
    print_figures(f"evaluation of {weights}", figures)


def _num_classes() -> int:
    return FLAGS.num_classes or NUM_CLASSES[FLAGS.task]


def _build(session):
    return Classifier(session.config, FLAGS.task, _num_classes(), session.text_length)


def _open(pattern: str, session):
    def label(columns):
        labels, classes = columns[LABELS[FLAGS.task]][:, 0], _num_classes()
        if labels.min() < 0 or labels.max() >= classes:
            raise InputError(
                f"{pattern}: `{LABELS[FLAGS.task]}` must be 0 to {classes - 1} (--num_classes)."
                f" Received: {labels.min()} to {labels.max()}"
            )
        return {"label": labels}

    return open_rows(
        pattern,
        "recognition",
        session.run.seed,
        session.config,
        (),
        session.schema,
        make_inputs=label,
    )

"""Fine-tunes Kaleido-BERT for category (`catepred`) and sub-category (`subcatepred`) recognition:
flags to a run.

The original script's command lines run as they are (run_configs/original_catepred.cfg,
original_subcatepred.cfg).
"""

import os
import sys

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.command_line import shared_flags
from kaleido_tf.command_line.shared_flags import decisive_of, define_shared_flags, need
from kaleido_tf.errors import InputError

# Flags of the original script beside the shared ones.
flags.DEFINE_enum(
    "mode", "train_and_evaluate", ["train_and_evaluate", "train", "evaluate"], "What to do."
)
flags.DEFINE_enum(
    "task",
    None,
    ["catepred", "subcatepred"],
    "What is recognised: the category or the sub-category.",
    required=True,
)
flags.DEFINE_string("output_dir", None, "Not used in training, as in the original.")

# Flags of this project.
flags.DEFINE_integer(
    "num_classes",
    None,
    "Number of classes; default: Fashion-Gen's 48 categories or 122 sub-categories, as in the"
    " original.",
    lower_bound=2,
)
define_shared_flags()
flags.adopt_module_key_flags(shared_flags)
FLAGS = flags.FLAGS

LABELS = {"catepred": "img_category_id", "subcatepred": "img_subcategory_id"}


def main(_):
    need("input_schema")
    if FLAGS.mode == "evaluate":
        evaluate()
    else:
        train(evaluates=FLAGS.mode == "train_and_evaluate")


def train(evaluates: bool) -> None:
    """Fine-tunes a pre-trained model, whose checkpoint --pretrain_model_name_or_path names."""
    from kaleido_tf.command_line.run_folder import leave_settings
    from kaleido_tf.command_line.session import begin_training, print_figures
    from kaleido_tf.compat.checkpoints.weights import load_start
    from kaleido_tf.training.run import train as run_training

    needed = ("train_input_fp", "model_dir", "pretrain_model_name_or_path")
    need(*needed, *(["eval_input_fp"] if evaluates else []))
    if FLAGS.predict_checkpoint_path:
        print(
            "--predict_checkpoint_path is not read in training, as in the original:"
            " --pretrain_model_name_or_path is what it starts from"
        )
    session = begin_training("recognition")
    source = session.source
    train_data = _open_rows(FLAGS.train_input_fp, session)
    eval_data = _open_rows(FLAGS.eval_input_fp, session) if evaluates else None
    decisive = (*decisive_of(), "input_sequence_length", "task", "num_classes")
    leave_settings(
        FLAGS.model_dir, session.config, source.vocabulary, sys.modules[__name__], decisive
    )
    _, figures = run_training(
        session.run,
        lambda: _build(session),
        train_data,
        eval_data,
        lambda model, strategy: load_start(model.backbone, source.start),
    )
    print_figures("evaluation", figures)


def evaluate() -> None:
    """Loss, accuracy and F1 of a fine-tuned checkpoint on --eval_input_fp."""
    from kaleido_tf.command_line.session import begin_use, print_figures
    from kaleido_tf.compat.checkpoints.weights import load_weights
    from kaleido_tf.training.run import evaluate as run_evaluation

    need("eval_input_fp")
    session = begin_use("recognition")
    weights = session.source.start
    figures = run_evaluation(
        session.run,
        lambda: _build(session),
        _open_rows(FLAGS.eval_input_fp, session),
        lambda model: load_weights(model, weights),
    )
    print_figures(f"evaluation of {weights}", figures)


def _num_classes() -> int:
    from kaleido_tf.objectives.recognition import NUM_CLASSES

    return FLAGS.num_classes or NUM_CLASSES[FLAGS.task]


def _build(session):
    from kaleido_tf.objectives.recognition import Classifier

    return Classifier(session.config, FLAGS.task, _num_classes(), session.text_length)


def _open_rows(pattern: str, session):
    from kaleido_tf.command_line.examples import open_rows

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


if __name__ == "__main__":
    run_command(main)

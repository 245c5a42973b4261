"""Fine-tunes Kaleido-BERT for category (`catepred`) and sub-category (`subcatepred`) recognition:
flags to a run.

The original script's command lines run as they are (run_configs/original_catepred.cfg,
original_subcatepred.cfg).
"""

import dataclasses
import os
import pathlib
import sys

# TensorFlow's start-up notes hide what this program says
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.command_line import shared_flags
from kaleido_tf.command_line.shared_flags import (
    DECISIVE_FLAGS,
    define_shared_flags,
    need,
    run_config,
)
from kaleido_tf.errors import InputError
from kaleido_tf.models.config import ModelConfig

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

DECISIVE = (*DECISIVE_FLAGS, "task", "num_classes")
LABELS = {"catepred": "img_category_id", "subcatepred": "img_subcategory_id"}


def main(_):
    need("input_schema")
    if FLAGS.mode == "evaluate":
        evaluate()
    else:
        train()


def train() -> None:
    """Fine-tunes a pre-trained model, whose checkpoint --pretrain_model_name_or_path names."""
    from kaleido_tf.command_line.model_source import load_start, model_to_train
    from kaleido_tf.command_line.run_folder import leave_settings
    from kaleido_tf.training import run as training

    evaluates = FLAGS.mode == "train_and_evaluate"
    need(
        "train_input_fp",
        "model_dir",
        "pretrain_model_name_or_path",
        *(["eval_input_fp"] if evaluates else []),
    )
    if FLAGS.predict_checkpoint_path:
        print(
            "--predict_checkpoint_path is not read in training, as in the original:"
            " --pretrain_model_name_or_path is what it starts from"
        )
    source = model_to_train(
        FLAGS.pretrain_model_name_or_path, None, FLAGS.model_dir, None, FLAGS.input_sequence_length
    )
    run = _run_config(source.config, source.vocabulary)
    train_data = _open_rows(FLAGS.train_input_fp, run, source.config)
    eval_data = _open_rows(FLAGS.eval_input_fp, run, source.config) if evaluates else None
    leave_settings(
        FLAGS.model_dir, source.config, source.vocabulary, sys.modules[__name__], DECISIVE
    )
    run = dataclasses.replace(run, vocabulary=str(pathlib.Path(FLAGS.model_dir) / "vocab.txt"))
    _, figures = training.train(
        run,
        lambda: _build(source.config, run.text_length),
        train_data,
        eval_data,
        lambda model, strategy: load_start(model.backbone, source.start),
    )
    if figures:
        print("evaluation: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))


def evaluate() -> None:
    """Loss, accuracy and F1 of a fine-tuned checkpoint on --eval_input_fp."""
    from kaleido_tf.command_line.model_source import load_weights, model_to_use
    from kaleido_tf.training import run as training

    need("eval_input_fp")
    checkpoint = FLAGS.predict_checkpoint_path or FLAGS.model_dir
    if not checkpoint:
        raise InputError("--mode=evaluate needs --predict_checkpoint_path or --model_dir")
    source = model_to_use(checkpoint, FLAGS.pretrain_model_name_or_path)
    run = _run_config(source.config, source.vocabulary)
    data = _open_rows(FLAGS.eval_input_fp, run, source.config)
    figures = training.evaluate(
        run,
        lambda: _build(source.config, run.text_length),
        data,
        lambda model: load_weights(model, source.start),
    )
    print(
        f"evaluation of {source.start}: "
        + ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    )


def _num_classes() -> int:
    from kaleido_tf.objectives.recognition import TASKS

    return FLAGS.num_classes or TASKS[FLAGS.task]


def _build(config: ModelConfig, text_length: int):
    from kaleido_tf.objectives.recognition import Classifier

    return Classifier(config, FLAGS.task, _num_classes(), text_length)


def _run_config(config: ModelConfig, vocabulary: str):
    from kaleido_tf.command_line.examples import text_length

    return run_config(config, vocabulary, text_length(config, "recognition"))


def _open_rows(pattern: str, run, config: ModelConfig):
    from kaleido_tf.command_line.examples import open_rows

    def label(columns):
        labels, classes = columns[LABELS[FLAGS.task]][:, 0], _num_classes()
        if labels.min() < 0 or labels.max() >= classes:
            raise InputError(
                f"{pattern}: `{LABELS[FLAGS.task]}` must be 0 to {classes - 1} (--num_classes)."
                f" Received: {labels.min()} to {labels.max()}"
            )
        return {"label": labels}

    return open_rows(pattern, "recognition", run, config, make_inputs=label)


if __name__ == "__main__":
    run_command(main)

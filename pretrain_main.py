"""Pre-trains, evaluates and scores Kaleido-BERT and FashionBERT: flags to a run.

`python pretrain_main.py --mode=train_and_evaluate` without any other flag draws a sample catalogue,
prepares its records, pre-trains a tiny model and scores retrieval both ways. The original scripts'
command lines run as they are (run_configs/, docs/original.md).
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
    RUN_DEFAULTS,
    define_shared_flags,
    need,
    run_config,
)
from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.patches import LEVEL_NAMES
from kaleido_tf.training.run_config import RunConfig

# Flags of the original script beside the shared ones.
flags.DEFINE_enum(
    "mode",
    "train_and_evaluate",
    ["train_and_evaluate", "train", "evaluate", "predict"],
    "What to do.",
)
flags.DEFINE_enum("type", None, ["img2txt", "txt2img"], "Direction of --mode=predict.")
flags.DEFINE_string(
    "predict_input_fp",
    None,
    "Records whose products stand in the candidate lists of --mode=predict; with --input_schema the"
    " pairs themselves as rows.",
)
flags.DEFINE_integer(
    "predict_batch_size",
    64,
    "Pairs a replica and step in predict; lines of the result file hold as many.",
    lower_bound=1,
)
flags.DEFINE_string(
    "output_dir",
    None,
    "Where predict leaves its result file and retrieval_metrics.json; default: --model_dir.",
)

# Flags of this project.
flags.DEFINE_string(
    "model_config", None, "config.json of a new model; sizes that it leaves out follow the records."
)
flags.DEFINE_string(
    "candidates",
    None,
    "Candidate lists of predict; default: candidates_<type>.jsonl beside the records.",
)
flags.DEFINE_list(
    "kaleido_tasks",
    list(LEVEL_NAMES),
    "Kaleido tasks to train, of rotation, jigsaw, camouflage, grey_to_color, blank_to_color; empty:"
    " none.",
)
flags.DEFINE_float(
    "masked_lm_prob",
    RUN_DEFAULTS["token_fraction"],
    "Share of word pieces that are masked, at most ten.",
)
flags.DEFINE_boolean(
    "whole_word_masking", RUN_DEFAULTS["whole_words"], "Masks whole words instead of word pieces."
)
flags.DEFINE_enum(
    "masking",
    RUN_DEFAULTS["masking"],
    ["aligned", "random"],
    "aligned: pairs of a word and a patch in the records first, of each one side; random: as if"
    " there were none.",
)
flags.DEFINE_enum(
    "negatives",
    RUN_DEFAULTS["negatives"],
    ["subcategory", "any", "rising"],
    "Where mismatched texts come from; rising: from any product at first, more and more from the"
    " sub-category.",
)
flags.DEFINE_float(
    "negatives_rise_epochs",
    RUN_DEFAULTS["rise_epochs"],
    "Epochs until --negatives=rising draws from the sub-category only.",
)
flags.DEFINE_float(
    "matching_weight",
    RUN_DEFAULTS["matching_weight"],
    "Factor of the matching loss; 1 is the paper's plain sum.",
)
flags.DEFINE_integer(
    "contrastive_epochs",
    RUN_DEFAULTS["contrastive_epochs"],
    "Epochs in which the embeddings of a new model are aligned before it is trained"
    " (kaleido_tf/objectives/contrastive_start.py); 0: plain random weights.",
    lower_bound=0,
)
define_shared_flags()
flags.adopt_module_key_flags(shared_flags)
FLAGS = flags.FLAGS

DECISIVE = (
    *DECISIVE_FLAGS,
    "kaleido_tasks",
    "masked_lm_prob",
    "whole_word_masking",
    "masking",
    "negatives",
    "negatives_rise_epochs",
    "matching_weight",
    "contrastive_epochs",
)
SAMPLE_DIR = "sample_run"
SAMPLE_FLAGS = pathlib.Path(__file__).parent / "run_configs" / "sample.cfg"


def main(_):
    if FLAGS.mode in ("train", "train_and_evaluate"):
        if FLAGS.train_input_fp is None:
            return run_sample()
        train()
    elif FLAGS.mode == "evaluate":
        evaluate()
    else:
        predict(FLAGS.type, FLAGS.predict_input_fp, FLAGS.candidates)
    return None


def run_sample() -> None:
    """The embedded default: draws, prepares, trains and scores in `SAMPLE_DIR`."""
    from data_prep.sample.sample_records import prepare_sample

    if FLAGS.mode != "train_and_evaluate":
        raise InputError(
            f"--mode={FLAGS.mode} needs --train_input_fp. Only train_and_evaluate has a sample"
            " catalogue"
        )
    folder = pathlib.Path(SAMPLE_DIR)
    records = prepare_sample(folder)
    _use_defaults_of(SAMPLE_FLAGS)
    FLAGS.train_input_fp, FLAGS.eval_input_fp = str(records / "train"), str(records / "valid")
    FLAGS.model_dir = FLAGS.model_dir or str(folder / "model")
    figures = train()
    print("\nsummary (chance beside each number)")
    chances = {"next_sentence": "1/2", "rotation": "1/4", "jigsaw": "1/24", "camouflage": "1/9"}
    for name, chance in chances.items():
        if f"{name}_accuracy" in figures:
            print(f"  {name} accuracy {figures[f'{name}_accuracy']:7.2%}   (chance {chance})")
    for direction in ("img2txt", "txt2img"):
        predict(direction, str(records / "valid"), None)


def _use_defaults_of(path: pathlib.Path) -> None:
    """Takes the values of a flag file for every flag that the command line leaves open."""
    for line in read_lines(path):
        if line.startswith("--"):
            name, _, value = line[2:].partition("=")
            if not FLAGS[name].present:
                FLAGS[name].parse(value)
                FLAGS[name].using_default_value = False


def train() -> dict:
    """Trains and, by mode, evaluates; returns the figures of the last evaluation."""
    from kaleido_tf.command_line.examples import open_examples
    from kaleido_tf.command_line.model_source import load_start, model_to_train
    from kaleido_tf.command_line.run_folder import leave_settings
    from kaleido_tf.objectives.pretraining import pretrain

    evaluates = FLAGS.mode == "train_and_evaluate"
    need("train_input_fp", "model_dir", *(["eval_input_fp"] if evaluates else []))
    records = None if FLAGS.input_schema else FLAGS.train_input_fp
    source = model_to_train(
        FLAGS.pretrain_model_name_or_path,
        FLAGS.model_config,
        FLAGS.model_dir,
        records,
        FLAGS.input_sequence_length,
    )
    run = _run_config(source.config, source.vocabulary, "pretraining")
    train_data = open_examples(FLAGS.train_input_fp, run, source.config)
    eval_data = open_examples(FLAGS.eval_input_fp, run, source.config) if evaluates else None
    leave_settings(
        FLAGS.model_dir, source.config, source.vocabulary, sys.modules[__name__], DECISIVE
    )
    run = dataclasses.replace(run, vocabulary=str(pathlib.Path(FLAGS.model_dir) / "vocab.txt"))
    _, figures = pretrain(
        run,
        source.config,
        train_data,
        eval_data,
        (lambda model: load_start(model, source.start)) if source.start else None,
    )
    if figures:
        print("evaluation: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    return figures


def evaluate() -> None:
    """Losses and accuracies of a checkpoint on --eval_input_fp."""
    from kaleido_tf.command_line.examples import open_examples
    from kaleido_tf.command_line.model_source import load_weights, model_to_use, tasks_there
    from kaleido_tf.objectives.pretraining import evaluate_model

    need("eval_input_fp")
    source = model_to_use(_prediction_checkpoint(), FLAGS.pretrain_model_name_or_path)
    run = _run_config(source.config, source.vocabulary, "pretraining")
    if not FLAGS["kaleido_tasks"].present:
        run = dataclasses.replace(run, tasks=tasks_there(source.start, source.config))
    data = open_examples(FLAGS.eval_input_fp, run, source.config)
    figures = evaluate_model(
        run, source.config, data, lambda model: load_weights(model, source.start)
    )
    print(
        f"evaluation of {source.start}: "
        + ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    )


def predict(direction: str | None, pairs: str | None, candidates: str | None) -> None:
    """Scores pairs (of candidate lists, or rows), writes the result file and the metrics, and
    prints them beside chance.
    """
    from kaleido_tf.command_line.examples import pairs_of_candidates, pairs_of_rows
    from kaleido_tf.command_line.model_source import load_weights, model_to_use
    from kaleido_tf.evaluation.rank_metrics import evaluate_retrieval
    from kaleido_tf.evaluation.report import summary, write_metrics
    from kaleido_tf.evaluation.result_files import write_result_file
    from kaleido_tf.evaluation.scoring import score_batches
    from kaleido_tf.families import build_model
    from kaleido_tf.files.whole_files import check_writable
    from kaleido_tf.training.strategy import make_strategy, set_precision

    if direction is None:
        raise InputError("--mode=predict needs --type=img2txt or --type=txt2img")
    if not pairs:
        raise InputError(
            "--mode=predict needs --predict_input_fp (records that hold the candidates, or rows"
            " with --input_schema)"
        )
    source = model_to_use(_prediction_checkpoint(), FLAGS.pretrain_model_name_or_path)
    config, run = source.config, _run_config(source.config, source.vocabulary, "matching")
    strategy = make_strategy(FLAGS.workerGPU, FLAGS.cpu_replicas)
    set_precision(FLAGS.precision)
    open_pairs = pairs_of_rows if FLAGS.input_schema else pairs_of_candidates
    output = pathlib.Path(FLAGS.output_dir or FLAGS.model_dir or os.path.dirname(source.start))
    check_writable(output)  # before the scoring, not after it
    scored = open_pairs(pairs, direction, run, config, candidates)
    with strategy.scope():
        # The matching head is all that is asked for; the other heads of the checkpoint are not
        # used.
        model = build_model(config, (), run.text_length)
    load_weights(model, source.start)
    batches = scored.batches(model, FLAGS.predict_batch_size * strategy.num_replicas_in_sync)
    logits = score_batches(model, strategy, batches, len(scored.labels))
    write_result_file(
        output / f"eval_{direction}_results.txt",
        scored.text_ids,
        scored.image_ids,
        scored.image_file_ids,
        scored.labels,
        logits,
        FLAGS.predict_batch_size,
    )
    metrics = evaluate_retrieval(
        scored.queries, scored.labels, logits, equal_texts=scored.equal_texts
    )
    name = "retrieval_metrics.json" if FLAGS.output_dir else f"{direction}_retrieval_metrics.json"
    write_metrics(output / name, metrics, direction, ties="average")
    print(summary(metrics, direction))


def _prediction_checkpoint() -> str:
    path = FLAGS.predict_checkpoint_path or FLAGS.model_dir
    if not path:
        raise InputError(f"--mode={FLAGS.mode} needs --predict_checkpoint_path or --model_dir")
    return path


def _run_config(config: ModelConfig, vocabulary: str, purpose: str) -> RunConfig:
    from kaleido_tf.command_line.examples import text_length

    tasks = (
        tuple(task for task in FLAGS.kaleido_tasks if task)
        if isinstance(config, KaleidoBertConfig)
        else None
    )
    if tasks is None and FLAGS["kaleido_tasks"].present:
        raise InputError(
            f"--kaleido_tasks is for Kaleido-BERT. Received: a model of type {config.model_type}"
        )
    return run_config(
        config,
        vocabulary,
        text_length(config, purpose),
        tasks=tasks,
        token_fraction=FLAGS.masked_lm_prob,
        whole_words=FLAGS.whole_word_masking,
        masking=FLAGS.masking,
        negatives=FLAGS.negatives,
        rise_epochs=FLAGS.negatives_rise_epochs,
        matching_weight=FLAGS.matching_weight,
        contrastive_epochs=FLAGS.contrastive_epochs,
    )


if __name__ == "__main__":
    run_command(main)

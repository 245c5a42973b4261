"""Pre-trains, evaluates and scores Kaleido-BERT: flags to a run.

`python pretrain_main.py --mode=train_and_evaluate` without any other flag draws a sample catalogue, prepares its
records, pre-trains a tiny model and scores retrieval both ways.
"""

import dataclasses
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes hide what this program says

from absl import flags

from kaleido_tf.config import KaleidoBertConfig, RunConfig, read_config
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.json_files import read_json_object

_RUN = {field.name: field.default for field in dataclasses.fields(RunConfig)}

# Flags of the original scripts, with their names, meanings and defaults.
flags.DEFINE_enum("mode", "train_and_evaluate", ["train_and_evaluate", "train", "evaluate", "predict"], "What to do.")
flags.DEFINE_enum("type", None, ["img2txt", "txt2img"], "Direction of --mode=predict.")
flags.DEFINE_integer("workerGPU", 1, "GPUs of this machine to use; fewer are used (none: the CPU) where there are fewer.")
flags.DEFINE_string("train_input_fp", None, "Records to train on: a file, a glob, a directory of shards, or a list file.")
flags.DEFINE_string("eval_input_fp", None, "Records to evaluate on.")
flags.DEFINE_string("predict_input_fp", None, "Records whose products stand in the candidate lists of --mode=predict.")
flags.DEFINE_string("pretrain_model_name_or_path", None, "Directory or checkpoint prefix to start from, with config.json and vocab.txt beside it.")
flags.DEFINE_string("predict_checkpoint_path", None, "Checkpoint for predict and evaluate; default: the latest in --model_dir.")
flags.DEFINE_string("model_dir", None, "Where a run leaves its checkpoints, metrics.jsonl and TensorBoard events.")
flags.DEFINE_string("output_dir", None, "Where predict leaves its result file and retrieval_metrics.json; default: --model_dir.")
flags.DEFINE_integer("input_sequence_length", _RUN["text_length"], "Text length in word pieces, [CLS] and [SEP] included; a model that exists already brings its own.", lower_bound=3)
flags.DEFINE_integer("train_batch_size", _RUN["train_batch_size"], "Examples a replica and step.", lower_bound=1)
flags.DEFINE_integer("predict_batch_size", 64, "Pairs a replica and step in predict; lines of the result file hold as many.", lower_bound=1)
flags.DEFINE_float("num_epochs", _RUN["num_epochs"], "Passes over the training records.")
flags.DEFINE_float("learning_rate", _RUN["learning_rate"], "Peak learning rate.")
flags.DEFINE_integer("log_step_count_steps", _RUN["log_steps"], "Steps between training reports.")

# Flags of this project.
flags.DEFINE_string("model_config", None, "config.json of a new model; `patch_feature_size` and `vocab_size` follow the records where it leaves them out.")
flags.DEFINE_string("candidates", None, "Candidate lists of predict; default: candidates_<type>.jsonl beside the records.")
flags.DEFINE_integer("eval_batch_size", _RUN["eval_batch_size"], "Examples a replica and step in evaluation.")
flags.DEFINE_list("kaleido_tasks", list(_RUN["kaleido_tasks"]), "Kaleido tasks to train, of rotation, jigsaw, camouflage, grey_to_color, blank_to_color; empty: none.")
flags.DEFINE_float("warmup_ratio", _RUN["warmup_ratio"], "Share of the steps over which the learning rate rises.")
flags.DEFINE_float("weight_decay_ratio", _RUN["weight_decay_ratio"], "Weight decay; 0 is the original's plain Adam.")
flags.DEFINE_float("clip_norm", _RUN["clip_norm"], "Gradients are clipped to this global norm.")
flags.DEFINE_float("masked_lm_prob", _RUN["token_fraction"], "Share of word pieces that are masked, at most ten.")
flags.DEFINE_boolean("whole_word_masking", _RUN["whole_words"], "Masks whole words instead of word pieces.")
flags.DEFINE_enum("negatives", _RUN["negatives"], ["subcategory", "any", "rising"], "Where mismatched texts come from; rising: from any product at first, more and more from the sub-category.")
flags.DEFINE_float("negatives_rise_epochs", _RUN["rise_epochs"], "Epochs until --negatives=rising draws from the sub-category only.")
flags.DEFINE_float("matching_weight", _RUN["matching_weight"], "Factor of the matching loss; 1 is the paper's plain sum.")
flags.DEFINE_integer("contrastive_epochs", _RUN["contrastive_epochs"], "Epochs in which the embeddings of a new model are aligned before it is trained (kaleido_tf/training/new_model.py); 0: plain random weights.", lower_bound=0)
flags.DEFINE_integer("seed", _RUN["seed"], "Of weights, order, masks and dropout.")
flags.DEFINE_enum("precision", _RUN["precision"], ["float32", "bfloat16", "float16"], "Of activations; weights and losses stay float32.")
flags.DEFINE_boolean("xla", _RUN["xla"], "Compiles forward and backward pass with XLA.")
flags.DEFINE_integer("cpu_replicas", _RUN["cpu_replicas"], "Replicas on the CPU where no GPU is used.")
flags.DEFINE_integer("save_checkpoints_steps", None, "Steps between checkpoints; default: once an epoch.", lower_bound=1)
flags.DEFINE_integer("eval_every_steps", None, "Steps between evaluations; default: --eval_every_epochs.", lower_bound=1)
flags.DEFINE_float("eval_every_epochs", _RUN["eval_epochs"], "Epochs between evaluations.")
flags.DEFINE_integer("keep_checkpoint_max", _RUN["keep_checkpoints"], "Checkpoints that are kept.")
FLAGS = flags.FLAGS

# What decides a run's numbers, beside its data and model; a resumed run must not change them.
DECISIVE_FLAGS = (
    "input_sequence_length", "train_batch_size", "workerGPU", "cpu_replicas", "num_epochs", "learning_rate", "kaleido_tasks",
    "warmup_ratio", "weight_decay_ratio", "clip_norm", "masked_lm_prob", "whole_word_masking", "negatives",
    "negatives_rise_epochs", "matching_weight", "contrastive_epochs", "seed", "precision",
)
ROOT = pathlib.Path(__file__).parent
SAMPLE_DIR = "sample_run"
SAMPLE_FLAGS = ROOT / "run_configs" / "sample.cfg"


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
    from data_prep.sample_records import prepare_sample

    if FLAGS.mode != "train_and_evaluate":
        raise InputError(f"--mode={FLAGS.mode} needs --train_input_fp. Only train_and_evaluate has a sample catalogue")
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
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("--"):
            name, _, value = line[2:].partition("=")
            if not FLAGS[name].present:
                FLAGS[name].parse(value)
                FLAGS[name].using_default_value = False


def train() -> dict:
    """Trains and, by mode, evaluates; returns the figures of the last evaluation."""
    from kaleido_tf.training.pretraining import pretrain

    evaluates = FLAGS.mode == "train_and_evaluate"
    _need("train_input_fp", "model_dir", *(["eval_input_fp"] if evaluates else []))
    config, vocabulary = _model_config(FLAGS.train_input_fp)
    _leave_settings(config, vocabulary)
    run = _run_config(config, str(pathlib.Path(FLAGS.model_dir) / "vocab.txt"))
    start = FLAGS.pretrain_model_name_or_path
    _, figures = pretrain(run, config, evaluates, (lambda model: _load(model, start)) if _checkpoint_of(start) else None)
    if figures:
        print("evaluation: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    return figures


def evaluate() -> None:
    """Losses and accuracies of a checkpoint on --eval_input_fp."""
    from kaleido_tf.training.checkpoints import is_own_checkpoint, tasks_of_checkpoint
    from kaleido_tf.training.pretraining import evaluate_model

    _need("eval_input_fp", "model_dir")
    prefix = _prediction_checkpoint()
    config, vocabulary = _existing_model(prefix)
    run = _run_config(config, vocabulary)
    if is_own_checkpoint(prefix) and not FLAGS["kaleido_tasks"].present:
        run = dataclasses.replace(run, kaleido_tasks=tasks_of_checkpoint(prefix))
    figures = evaluate_model(run, config, lambda model: _load(model, prefix))
    print(f"evaluation of {prefix}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))


def predict(direction: str | None, records: str | None, candidates: str | None) -> None:
    """Scores candidate lists, writes the result file and the metrics, and prints them beside chance."""
    from kaleido_tf.evaluation import predict as prediction
    from kaleido_tf.evaluation.retrieval import evaluate_retrieval

    if direction is None:
        raise InputError("--mode=predict needs --type=img2txt or --type=txt2img")
    if not records:
        raise InputError("--mode=predict needs --predict_input_fp (records that hold the candidates)")
    prefix = _prediction_checkpoint()
    config, vocabulary = _existing_model(prefix)
    table, candidates = _retrieval_input(records, candidates, direction, config, vocabulary)
    pairs = prediction.read_candidate_pairs(candidates, direction, table)
    model, strategy = _build(config)
    _load(model, prefix)
    logits = prediction.score_pairs(model, strategy, table, pairs, FLAGS.predict_batch_size)
    output = pathlib.Path(FLAGS.output_dir or FLAGS.model_dir or os.path.dirname(prefix))
    prediction.write_result_file(output / f"eval_{direction}_results.txt", table, pairs, logits, FLAGS.predict_batch_size)
    metrics = evaluate_retrieval(pairs.lists, pairs.labels, logits)
    name = "retrieval_metrics.json" if FLAGS.output_dir else f"{direction}_retrieval_metrics.json"
    prediction.write_metrics(output / name, metrics, direction, ties="average")
    print(prediction.summary(metrics, direction))


def _retrieval_input(records, candidates, direction, config, vocabulary_path):
    from kaleido_tf.data.input_files import find_files
    from kaleido_tf.data.record_table import read_record_table
    from kaleido_tf.text import Vocabulary
    from kaleido_tf.training.pretraining import check_model

    files, vocabulary = find_files(records), Vocabulary(vocabulary_path)
    check_model(_text_length(config), config, vocabulary)
    table = read_record_table(files, vocabulary, _text_length(config), config.patch_feature_size)
    return table, candidates or os.path.join(os.path.dirname(files[0]), f"candidates_{direction}.jsonl")


def _build(config):
    from kaleido_tf.families import FAMILIES
    from kaleido_tf.training.strategy import make_strategy, set_precision

    strategy = make_strategy(FLAGS.workerGPU, FLAGS.cpu_replicas)
    set_precision(FLAGS.precision)
    with strategy.scope():
        # The matching head is all that is asked for; the kaleido heads of the checkpoint are not used.
        return FAMILIES[config.model_type].build(config, (), _text_length(config)), strategy


def _text_length(config: KaleidoBertConfig) -> int:
    """The flag if it was given, else the length that the model was made for."""
    flag = FLAGS["input_sequence_length"]
    return flag.value if flag.present or not flag.using_default_value else config.text_seq_len


def _need(*names: str) -> None:
    for name in names:
        if not FLAGS[name].value:
            raise InputError(f"--mode={FLAGS.mode} needs --{name}")


def _model_config(records: str) -> tuple[KaleidoBertConfig, str]:
    """Config and vocabulary of the model to be trained: resumed, started from another, or new."""
    from kaleido_tf.data.input_files import find_files
    from kaleido_tf.data.record_table import feature_size_of
    from kaleido_tf.text import DEFAULT_VOCABULARY, Vocabulary

    there = pathlib.Path(FLAGS.model_dir) / "config.json"
    if FLAGS.pretrain_model_name_or_path:
        return _existing_model(FLAGS.pretrain_model_name_or_path)
    files = find_files(records)
    beside = pathlib.Path(files[0]).parent / "vocab.txt"
    vocabulary = str(beside if beside.is_file() else DEFAULT_VOCABULARY)
    if FLAGS.model_config is None:
        if there.is_file():
            return read_config(there), vocabulary
        raise InputError("A new model needs --model_config (its config.json; run_configs/ has some) or --pretrain_model_name_or_path")
    # The configs of this project are found from any working directory.
    path = next((p for p in (pathlib.Path(FLAGS.model_config), ROOT / FLAGS.model_config) if p.is_file()), None)
    if path is None:
        raise InputError(f"--model_config: a config.json is needed. Not found: {FLAGS.model_config}")
    content = read_json_object(path)
    followed = {
        "patch_feature_size": feature_size_of(files), "vocab_size": len(Vocabulary(vocabulary)),
        "text_seq_len": FLAGS.input_sequence_length,
    }
    return KaleidoBertConfig.from_dict({**followed, **content}, str(path)), vocabulary


def _existing_model(path: str) -> tuple[KaleidoBertConfig, str]:
    from kaleido_tf.training.checkpoints import model_files

    config, vocabulary = model_files(path)
    if not vocabulary.is_file():
        raise InputError(f"A model needs its vocab.txt beside config.json. Not found: {vocabulary}")
    return read_config(config), str(vocabulary)


def _checkpoint_of(path: str | None) -> str | None:
    from kaleido_tf.training.checkpoints import find_checkpoint

    return find_checkpoint(path) if path else None


def _prediction_checkpoint() -> str:
    path = FLAGS.predict_checkpoint_path or FLAGS.model_dir
    if not path:
        raise InputError(f"--mode={FLAGS.mode} needs --predict_checkpoint_path or --model_dir")
    prefix = _checkpoint_of(path)
    if prefix is None:
        raise InputError(f"A checkpoint (a directory that holds one, or its prefix …/model.ckpt-N) is needed. None at: {path}")
    return prefix


def _load(model, path: str) -> None:
    """Fills `model` from a checkpoint of this project or a TF1 one of the original."""
    from kaleido_tf.compat.checkpoint_names import load_original_checkpoint
    from kaleido_tf.training.checkpoints import is_own_checkpoint, load_own_checkpoint

    prefix = _checkpoint_of(path)
    (load_own_checkpoint if is_own_checkpoint(prefix) else load_original_checkpoint)(model, prefix)


def _run_config(config: KaleidoBertConfig, vocabulary: str) -> RunConfig:
    return RunConfig(
        train_input_fp=FLAGS.train_input_fp or "",
        eval_input_fp=FLAGS.eval_input_fp or "",
        model_dir=FLAGS.model_dir,
        vocabulary=vocabulary,
        text_length=_text_length(config),
        train_batch_size=FLAGS.train_batch_size,
        eval_batch_size=FLAGS.eval_batch_size,
        num_epochs=FLAGS.num_epochs,
        learning_rate=FLAGS.learning_rate,
        warmup_ratio=FLAGS.warmup_ratio,
        weight_decay_ratio=FLAGS.weight_decay_ratio,
        clip_norm=FLAGS.clip_norm,
        kaleido_tasks=tuple(task for task in FLAGS.kaleido_tasks if task),
        token_fraction=FLAGS.masked_lm_prob,
        whole_words=FLAGS.whole_word_masking,
        negatives=FLAGS.negatives,
        rise_epochs=FLAGS.negatives_rise_epochs,
        matching_weight=FLAGS.matching_weight,
        contrastive_epochs=FLAGS.contrastive_epochs,
        seed=FLAGS.seed,
        precision=FLAGS.precision,
        xla=FLAGS.xla,
        worker_gpus=FLAGS.workerGPU,
        cpu_replicas=FLAGS.cpu_replicas,
        log_steps=FLAGS.log_step_count_steps,
        save_steps=FLAGS.save_checkpoints_steps,
        eval_steps=FLAGS.eval_every_steps,
        eval_epochs=FLAGS.eval_every_epochs,
        keep_checkpoints=FLAGS.keep_checkpoint_max,
    )


def _leave_settings(config: KaleidoBertConfig, vocabulary: str) -> None:
    """Puts `config.json`, `vocab.txt` and `flags.cfg` into --model_dir, and refuses a directory of another model."""
    folder = pathlib.Path(FLAGS.model_dir)
    there = folder / "config.json"
    if _checkpoint_of(str(folder)):
        if there.is_file() and read_config(there) != config:
            raise InputError(f"--model_dir={folder} holds another model (its config.json differs). Use another --model_dir")
        _refuse_other_flags(folder / "flags.cfg")
    contents = {
        "config.json": json.dumps(config.to_dict(), indent=1) + "\n",
        "vocab.txt": pathlib.Path(vocabulary).read_text(encoding="utf-8"),
        "flags.cfg": "".join(
            f"{FLAGS[name].serialize()}\n" for name in sorted(_own_flags()) if FLAGS[name].value is not None
        ),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            partial = folder / f"{name}.partial"
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, folder / name)
    except OSError as error:
        raise InputError(f"--model_dir={folder} cannot be written: {error}") from error


def _refuse_other_flags(path: pathlib.Path) -> None:
    """A run that is gone on with must get the flags it began with, or its numbers would be those of neither."""
    before = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    by_name = {line.lstrip("-").partition("=")[0].removeprefix("no"): line for line in before}
    now = {name: FLAGS[name].serialize() for name in DECISIVE_FLAGS}
    changed = [f"{by_name[name.removeprefix('no')]} there, {line} now" for name, line in now.items()
               if by_name.get(name.removeprefix("no"), line) != line]
    if changed:
        raise InputError(
            f"--model_dir={path.parent} holds a run with other flags ({'; '.join(changed)}). To go on with it, give the same "
            "flags (--flagfile=flags.cfg); to start anew from its weights, use another --model_dir and "
            f"--pretrain_model_name_or_path={path.parent}"
        )


def _own_flags() -> list[str]:
    """Names of the flags that this file defines."""
    return [flag.name for flag in FLAGS.get_key_flags_for_module(sys.modules[__name__])]


if __name__ == "__main__":
    run_command(main)

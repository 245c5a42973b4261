"""Pre-trains, evaluates and scores a model of any family: flags to a run.

`python pretrain_main.py --mode=train_and_evaluate` without any other flag draws a sample catalogue,
prepares its records, pre-trains a tiny model and scores retrieval both ways; `--mode=evaluate` and
`--mode=predict --type=...` alone use that model. The original scripts' command lines run as they
are (run_configs/, docs/original.md).
"""

import dataclasses
import os
import pathlib
import sys

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.command_line import shared_flags
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.command_line.shared_flags import decisive_of, define_shared_flags, need
from kaleido_tf.command_line.workers import as_worker
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.objectives.pretraining_config import PretrainingConfig

# Flags of the original script beside the shared ones.
flags.DEFINE_enum(
    "mode",
    "train_and_evaluate",
    ["train_and_evaluate", "train", "evaluate", "predict", "export"],
    "What to do; export writes the model as files that load without this project (docs/export.md).",
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
    "Where predict leaves its result file and retrieval_metrics.json; default: --model_dir, or the"
    " checkpoint's folder, where the latter's name begins with --type. With --mode=export a new"
    " folder.",
)

# Flags of this project.
flags.DEFINE_string(
    "model_config",
    None,
    "config.json of a new model; sizes that it leaves out follow the records and the BERT that it"
    " starts from, beside which the flag may be left out.",
)
flags.DEFINE_string(
    "candidates",
    None,
    "Candidate lists of predict; default: candidates_<type>.jsonl beside the records.",
)
flags.DEFINE_enum(
    "protocol",
    "lists",
    ["lists", "full"],
    "What --mode=predict ranks: candidate lists, or for every photo the texts of all products and"
    " the other way round (both directions at once).",
)
flags.DEFINE_integer(
    "rerank",
    0,
    "With --protocol=full: so many of the best by their vectors are scored again by the whole"
    " model.",
    lower_bound=0,
)
flags.DEFINE_string(
    "queries",
    None,
    "With --protocol=full: records whose products ask; default: all of --predict_input_fp.",
)
flags.DEFINE_enum("format", "saved_model", ["saved_model", "onnx"], "What --mode=export writes.")
flags.DEFINE_string(
    "records",
    None,
    "With --mode=export: records whose dataset.json says how photos are prepared; without them the"
    " SavedModel takes patch features and no photos.",
)
flags.DEFINE_string(
    "backbone_weights",
    None,
    "Of the image network of --records: imagenet (the default), random, or the path of a Keras HDF5"
    " file.",
)
flags.DEFINE_string(
    "foreground_weights",
    None,
    "Of --records made with --foreground=unet: the file that data_prep.train_saliency wrote.",
)
define_setting_flags(PretrainingConfig)
define_setting_flags(ExamplesConfig)
define_shared_flags()
flags.adopt_module_key_flags(shared_flags)
FLAGS = flags.FLAGS

SAMPLE_DIR = pathlib.Path("sample_run")
SAMPLE_FLAGS = pathlib.Path(__file__).parent / "run_configs" / "sample.cfg"


def main(_):
    with as_worker():
        _run_mode()


def _run_mode():
    if FLAGS.mode in ("train", "train_and_evaluate"):
        if FLAGS.train_input_fp is None:
            return run_sample()
        train(evaluates=FLAGS.mode == "train_and_evaluate")
    elif FLAGS.mode == "evaluate":
        if _means_the_sample("eval_input_fp"):
            use_sample()
        evaluate()
    elif FLAGS.mode == "export":
        export()
    elif FLAGS.protocol == "full":
        if _means_the_sample("predict_input_fp"):
            use_sample()
        predict_gallery()
    else:
        for name in ("rerank", "queries"):
            if FLAGS[name].value:
                raise InputError(f"--{name} is for --protocol=full. Received: {FLAGS[name].value}")
        if FLAGS.type is None:
            raise InputError("--mode=predict needs --type=img2txt or --type=txt2img")
        if _means_the_sample("predict_input_fp"):
            use_sample()
        predict(FLAGS.type, FLAGS.predict_input_fp, FLAGS.candidates)
    return None


def _means_the_sample(data_flag: str) -> bool:
    """Whether a command names neither a model nor data, so that the sample's are meant."""
    named = ("model_dir", "predict_checkpoint_path", "pretrain_model_name_or_path", "input_schema")
    return not any(FLAGS[name].value for name in (data_flag, *named))


def run_sample() -> None:
    """The embedded default: draws, prepares, trains and scores in `SAMPLE_DIR`."""
    if FLAGS.mode != "train_and_evaluate":
        raise InputError(
            f"--mode={FLAGS.mode} needs --train_input_fp. Only train_and_evaluate, evaluate and"
            " predict have a sample catalogue"
        )
    figures = train_sample(evaluates=True)
    print("\nsummary (chance beside each number)")
    chances = {"next_sentence": "1/2", "rotation": "1/4", "jigsaw": "1/24", "camouflage": "1/9"}
    for name, chance in chances.items():
        if f"{name}_accuracy" in figures:
            print(f"  {name} accuracy {figures[f'{name}_accuracy']:7.2%}   (chance {chance})")
    for direction in ("img2txt", "txt2img"):
        predict(direction, FLAGS.eval_input_fp, None)
    index_sample()


def index_sample() -> None:
    """Makes the sample searchable, and says how to look at it."""
    from data_prep.sample.sample_records import SETTINGS
    from kaleido_tf.serving.catalogue_index import IndexInputs, write_catalogue_index
    from kaleido_tf.serving.photo_patches import NetworkFiles
    from kaleido_tf.serving.plain_fields import read_plain_fields

    # in the model's folder, since it is of no use to another model
    valid, folder = FLAGS.eval_input_fp, pathlib.Path(FLAGS.model_dir) / "index"
    networks = NetworkFiles(backbone_weights=SETTINGS.backbone_weights)
    fields = read_plain_fields(SAMPLE_DIR / "catalogue" / "products.jsonl")
    inputs = IndexInputs(FLAGS.model_dir, valid, fields, held_out=valid, networks=networks)
    write_catalogue_index(inputs, folder)
    print(
        "the sample's search page: python -m kaleido_tf.serving.search_page"
        f" --index={folder} --catalogue={SAMPLE_DIR}/catalogue"
    )


def train_sample(evaluates: bool) -> dict:
    """Makes what is missing of the sample: catalogue, records, model."""
    from data_prep.sample.sample_records import prepare_sample

    records = prepare_sample(SAMPLE_DIR)
    _use_defaults_of(SAMPLE_FLAGS)
    FLAGS.train_input_fp, FLAGS.eval_input_fp = str(records / "train"), str(records / "valid")
    FLAGS.model_dir = FLAGS.model_dir or str(SAMPLE_DIR / "model")
    return train(evaluates)


def use_sample() -> None:
    """Means the sample's model and products, and makes them first where they are not there yet."""
    train_sample(evaluates=True)
    FLAGS.predict_input_fp = FLAGS.eval_input_fp


def _use_defaults_of(path: pathlib.Path) -> None:
    """Takes the values of a flag file for every flag that the command line leaves open."""
    for line in read_lines(path):
        if line.startswith("--"):
            name, _, value = line[2:].partition("=")
            if not FLAGS[name].present:
                FLAGS[name].parse(value)
                FLAGS[name].using_default_value = False


def train(evaluates: bool) -> dict:
    """Trains and, if asked, evaluates; returns the figures of the last evaluation."""
    from kaleido_tf.command_line.run_folder import leave_settings
    from kaleido_tf.command_line.session import begin_training, print_figures
    from kaleido_tf.compat.checkpoints.starting import load_start
    from kaleido_tf.objectives.pretraining import Pretraining
    from kaleido_tf.training.run import train as run_training

    need("train_input_fp", "model_dir", *(["eval_input_fp"] if evaluates else []))
    settings = read_settings(PretrainingConfig)
    session = begin_training("pretraining", FLAGS.model_config)
    config, source = session.config, session.source
    start = (lambda model: load_start(model, *source.starts)) if source.starts else None
    objective = Pretraining(config, settings, session.text_length, start)
    train_data = _open_examples(FLAGS.train_input_fp, session, settings.tasks)
    eval_data = _open_examples(FLAGS.eval_input_fp, session, settings.tasks) if evaluates else None
    starter = objective.starter(train_data, session.run.seed)
    decisive = decisive_of(ExamplesConfig, PretrainingConfig)
    leave_settings(FLAGS.model_dir, config, source.vocabulary, sys.modules[__name__], decisive)
    _, figures = run_training(session.run, objective.build, train_data, eval_data, starter)
    print_figures("evaluation", figures)
    return figures


def evaluate() -> None:
    """Losses and accuracies of a checkpoint on --eval_input_fp."""
    from kaleido_tf.command_line.model_source import tasks_there
    from kaleido_tf.command_line.session import begin_use, print_figures
    from kaleido_tf.compat.checkpoints.weights import load_weights
    from kaleido_tf.objectives.pretraining import Pretraining
    from kaleido_tf.training.run import evaluate as run_evaluation

    need("eval_input_fp")
    settings = read_settings(PretrainingConfig)
    session = begin_use("pretraining")
    config, weights = session.config, session.source.start
    if settings.tasks is None:
        settings = dataclasses.replace(settings, tasks=tasks_there(weights, config))
    objective = Pretraining(config, settings, session.text_length)
    data = _open_examples(FLAGS.eval_input_fp, session, settings.tasks)
    figures = run_evaluation(
        session.run, objective.build, data, lambda model: load_weights(model, weights)
    )
    print_figures(f"evaluation of {weights}", figures)


def _open_examples(pattern: str, session, tasks: tuple[str, ...] | None):
    """The examples at `pattern`: records, or with --input_schema rows of the originals."""
    from kaleido_tf.command_line.examples import open_rows
    from kaleido_tf.families import read_examples

    config = session.config
    if session.schema is not None:
        if FLAGS.group_by_length:
            raise InputError("--group_by_length is for records; rows come as they were drawn")
        seed = session.run.seed
        return open_rows(pattern, "pretraining", seed, config, tasks, session.schema)
    settings = read_settings(ExamplesConfig, text_length=session.text_length)
    return read_examples(pattern, settings, config, tasks, session.vocabulary)


def predict(direction: str, pairs: str | None, candidates: str | None) -> None:
    """Scores pairs (of candidate lists, or rows), writes the result file and the metrics, and
    prints them beside chance.
    """
    from kaleido_tf.command_line.pair_scores import write_scores
    from kaleido_tf.command_line.session import begin_use
    from kaleido_tf.compat.checkpoints.weights import load_weights
    from kaleido_tf.evaluation.photo_views import mean_over_views
    from kaleido_tf.evaluation.scoring import score_batches
    from kaleido_tf.families import build_model
    from kaleido_tf.files.whole_files import check_writable
    from kaleido_tf.training.strategy import make_strategy, set_precision

    if not pairs:
        raise InputError(
            "--mode=predict needs --predict_input_fp (records that hold the candidates, or rows"
            " with --input_schema)"
        )
    session = begin_use("matching")
    weights, device = session.source.start, session.run.device
    strategy = make_strategy(device)
    set_precision(device.precision)
    output = pathlib.Path(FLAGS.output_dir or FLAGS.model_dir or os.path.dirname(weights))
    check_writable(output)  # before the scoring, not after it
    scored = _open_pairs(session, direction, pairs, candidates)
    with strategy.scope():
        # Matching is all that is asked for; the other heads of the checkpoint are not built.
        model = build_model(session.config, (), session.text_length)
        matcher = model.matcher
    load_weights(model, weights)
    batches = scored.batches(model, FLAGS.predict_batch_size * strategy.num_replicas_in_sync)
    logits = score_batches(matcher, strategy, batches, int(scored.views.sum()))
    logits = mean_over_views(logits, scored.views)
    # A folder of its own holds the metrics of one direction, a model's those of both.
    named = "retrieval_metrics.json"
    write_scores(
        output,
        direction,
        scored,
        logits,
        FLAGS.predict_batch_size,
        named if FLAGS.output_dir else f"{direction}_{named}",
    )


def predict_gallery() -> None:
    """Ranks the whole gallery of --predict_input_fp, both ways."""
    from kaleido_tf.command_line.gallery_task import rank_gallery
    from kaleido_tf.command_line.session import begin_use
    from kaleido_tf.compat.checkpoints.weights import load_weights
    from kaleido_tf.families import build_model
    from kaleido_tf.files.whole_files import check_writable
    from kaleido_tf.training.strategy import make_strategy, set_precision

    need("predict_input_fp")
    refused = [name for name in ("input_schema", "type", "candidates") if FLAGS[name].value]
    if refused:
        raise InputError(
            f"--protocol=full ranks all records, in both directions. Received: --{refused[0]}"
        )
    session = begin_use("matching")
    output = session.output_folder()
    check_writable(output)
    table = session.open_table(FLAGS.predict_input_fp)
    set_precision(session.run.device.precision)
    with make_strategy(session.run.device).scope():
        model = build_model(session.config, (), session.text_length)
        _ = model.matcher
    load_weights(model, session.source.start)
    asking = None
    if FLAGS.queries:
        asking = set(session.open_table(FLAGS.queries).product_ids)
    rank_gallery(model, session, table, output, FLAGS.rerank, FLAGS.predict_batch_size, asking)


def export() -> None:
    """Writes a trained model as a SavedModel or ONNX files."""
    for name in ("backbone_weights", "foreground_weights"):
        if FLAGS[name].value and not FLAGS.records:
            raise InputError(f"--{name} belongs to --records. Received: --{name} alone")
    from data_prep.photo_graphs.opening import open_photo_graph
    from kaleido_tf.command_line import export_task

    def open_photos(dataset: dict, where: str):
        weights = FLAGS.backbone_weights or "imagenet"
        return open_photo_graph(dataset, where, weights, FLAGS.foreground_weights or "")

    export_task.export(FLAGS.format, FLAGS.records, open_photos)


def _open_pairs(session, direction: str, pairs: str, candidates: str | None):
    from kaleido_tf.command_line.examples import pairs_of_candidates, pairs_of_rows

    config, length = session.config, session.text_length
    if session.schema is not None:
        return pairs_of_rows(pairs, direction, config, session.schema, candidates)
    return pairs_of_candidates(pairs, direction, length, config, session.vocabulary, candidates)


if __name__ == "__main__":
    run_command(main)

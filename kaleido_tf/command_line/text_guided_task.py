"""Text-guided image retrieval (FashionIQ's form): flags to a run on triplets over pixel records."""

import json
import pathlib

import numpy as np
from absl import flags

from kaleido_tf.command_line.run_folder import leave_settings
from kaleido_tf.command_line.session import Session, begin_training, begin_use
from kaleido_tf.command_line.setting_flags import read_settings
from kaleido_tf.command_line.shared_flags import decisive_of, need
from kaleido_tf.command_line.text_guided_model import Asking, at_its_start, begin, build, loaded
from kaleido_tf.command_line.text_guided_records import TripletRecords, open_triplet_records
from kaleido_tf.data.triplet_config import TripletConfig
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.composed_report import (
    CHANCE,
    MAIN,
    Found,
    best_of,
    find,
    group_lines,
    line_of,
    metrics_content,
    verdicts,
)
from kaleido_tf.files.whole_files import check_writable, write_json, write_whole
from kaleido_tf.objectives.fine_tuning_config import FineTuningConfig
from kaleido_tf.objectives.text_guided_retrieval import check_composes
from kaleido_tf.training.run import train as run_training

FLAGS = flags.FLAGS
PURPOSE = "text-guided retrieval"
EVALUATION = "evaluation"
"""The folder within a model's that an evaluation writes to."""
METRICS = "text_guided_metrics.json"
PREDICTIONS = "text_guided_predictions.jsonl"
MOST_TARGETS = 50
"""Targets of a query that --mode=predict writes."""
TITLES = {
    CHANCE: "chance",
    "photo": "the photo alone",
    "text": "the text alone",
    "sum": "photo and text added up",
    "untrained": "photo and text read together",
}
"""Baselines in words."""


def run(module) -> None:
    """Does what --mode says. Args: module: the script whose flags are kept."""
    if FLAGS.input_schema:
        raise InputError(
            "--task=text_guided_retrieval reads pixel records. Received: --input_schema"
        )
    if FLAGS.mode == "evaluate":
        evaluate()
    elif FLAGS.mode == "predict":
        predict()
    else:
        train(module, evaluates=FLAGS.mode == "train_and_evaluate")


def train(module, evaluates: bool) -> None:
    """Fine-tunes a model, lets it find the targets of --eval_triplets, and says whether it finds
    more than its start does without having been trained to compose.
    """
    need("train_input_fp", "train_triplets", "model_dir")
    need(*(["eval_input_fp", "eval_triplets"] if evaluates else []))
    settings = read_settings(TripletConfig)
    dropout = read_settings(FineTuningConfig).dropout
    session = begin_training(PURPOSE, FLAGS.model_config, dropout)
    check_composes(session.config)
    training = open_triplet_records(
        session, FLAGS.train_input_fp, settings.train_triplets, settings.train_split, settings, True
    )
    evaluated = _evaluated(session, settings) if evaluates else None
    decisive = (*decisive_of(TripletConfig, FineTuningConfig), "input_sequence_length", "task")
    leave_settings(FLAGS.model_dir, session.config, session.source.vocabulary, module, decisive)
    before = _shown_baselines(session, evaluated) if evaluates else {}
    model, _ = run_training(
        session.run,
        lambda: build(session, settings.wrong_references),
        training.examples,
        evaluated.examples if evaluates else None,
        lambda model, strategy: begin(model, session),
    )
    if evaluates:
        asking = Asking(model, evaluated, session, FLAGS.eval_batch_size)
        found = asking.found(asking.photos())
        _report(pathlib.Path(FLAGS.model_dir) / EVALUATION, evaluated, before, found, judges=True)
    else:
        print("no verdict: --mode=train evaluates nothing")


def evaluate() -> None:
    """Lets a model find the targets of --eval_triplets, beside what its own vectors of photos and
    texts find alone.
    """
    need("eval_input_fp", "eval_triplets")
    settings = read_settings(TripletConfig)
    session = _session_of_use()
    evaluated = _evaluated(session, settings)
    place = session.output_folder(EVALUATION)
    check_writable(place)
    asking = Asking(loaded(session), evaluated, session, FLAGS.eval_batch_size)
    photos = asking.photos()
    beside = asking.baselines(photos)
    _print_galleries(evaluated)
    _print_baselines(beside, "this model's own vectors")
    _report(place, evaluated, beside, asking.found(photos), judges=False)
    print("no verdict: what stands beside the model is not its start but its own vectors")


def predict() -> None:
    """Writes the targets that a model finds first for each triplet of --predict_triplets."""
    need("predict_input_fp", "predict_triplets")
    settings = read_settings(TripletConfig)
    session = _session_of_use()
    records = open_triplet_records(
        session,
        FLAGS.predict_input_fp,
        settings.predict_triplets,
        settings.eval_split,
        settings,
        False,
    )
    place = session.output_folder()
    check_writable(place)
    asking = Asking(loaded(session), records, session, FLAGS.predict_batch_size)
    lines = _found_first(records, asking.queries(), asking.photos())
    place.mkdir(parents=True, exist_ok=True)
    write_whole(place / PREDICTIONS, "".join(json.dumps(line) + "\n" for line in lines))
    print(f"{place / PREDICTIONS}: {len(lines)} queries")


def _session_of_use() -> Session:
    session = begin_use(PURPOSE, FLAGS.model_config)
    check_composes(session.config)
    return session


def _evaluated(session: Session, settings: TripletConfig) -> TripletRecords:
    return open_triplet_records(
        session, FLAGS.eval_input_fp, settings.eval_triplets, settings.eval_split, settings, False
    )


def _shown_baselines(session: Session, evaluated: TripletRecords) -> dict[str, Found]:
    """What the start finds before it is trained; a run that is gone on with finds the same."""
    asking = Asking(at_its_start(session), evaluated, session, FLAGS.eval_batch_size)
    photos = asking.photos()
    found = asking.baselines(photos)
    found["untrained"] = find(evaluated.galleries, asking.queries(), photos)
    _print_galleries(evaluated)
    _print_baselines(found, "the start's vectors")
    return found


def _print_galleries(evaluated: TripletRecords) -> None:
    print(f"{len(evaluated.examples)} queries; photos to be found among, by class:")
    for name, gallery in evaluated.galleries.items():
        if gallery.without_reference:
            continue  # those of the same name
        sizes = ", ".join(f"{group} {size}" for group, size in gallery.sizes.items())
        print(f"  {name.replace('_', ' ')}{' (main figure)' if name == MAIN else ''}: {sizes}")


def _print_baselines(found: dict[str, Found], whose: str) -> None:
    for name, each in found.items():
        by = "" if name == CHANCE else f", by {whose}"
        print(line_of(f"baseline, {TITLES[name]}{by}", each), flush=True)


def _report(
    place: pathlib.Path,
    evaluated: TripletRecords,
    beside: dict[str, Found],
    found: dict[str, Found],
    judges: bool,
) -> None:
    best = best_of(beside)
    judged = verdicts(beside[best], found["model"], evaluated.triplets) if judges else []
    content = metrics_content(evaluated.galleries, {**beside, **found}, judged)
    content["best_baseline"] = best
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / METRICS, content)
    for name in ("model_without_text", "model_without_photo"):
        print(line_of(name.replace("_", " "), found[name]))
    print(line_of("model", found["model"]) + f"; written to {place / METRICS}")
    for line in group_lines(found["model"]):
        print(line)
    for verdict in judged:
        print(f"beside the best baseline ({best}), {verdict}")


def _found_first(records: TripletRecords, queries: np.ndarray, photos: np.ndarray) -> list[dict]:
    """A line of each query: its nearest photos of its class's gallery, and their cosines."""
    gallery, image_ids = records.galleries[MAIN], records.photos.image_ids
    lines = []
    for triplet, query in zip(records.examples.triplets, queries):
        members = np.unique(gallery.targets[gallery.groups == (triplet.group or "all")])
        scores = photos[members] @ query
        order = np.argsort(-scores, kind="stable")[:MOST_TARGETS]
        lines.append(
            {
                "reference": triplet.reference,
                "captions": list(triplet.captions),
                "category": triplet.group,
                "targets": [
                    {"image_id": image_ids[members[n]], "score": round(float(scores[n]), 6)}
                    for n in order
                ],
            }
        )
    return lines

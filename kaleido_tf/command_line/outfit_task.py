"""Outfit completion (Polyvore's form): flags to a run on outfits over pixel records."""

import dataclasses
import json
import pathlib

import numpy as np
from absl import flags

from kaleido_tf.command_line.outfit_model import (
    at_its_start,
    baselines,
    begin,
    build,
    check_completes,
    described,
    description_of,
    loaded,
    vectors_of,
)
from kaleido_tf.command_line.outfit_records import (
    EvaluatedOutfits,
    ItemCategories,
    open_evaluated,
    open_training,
)
from kaleido_tf.command_line.run_folder import leave_settings
from kaleido_tf.command_line.session import Session, begin_training, begin_use
from kaleido_tf.command_line.setting_flags import read_settings
from kaleido_tf.command_line.shared_flags import decisive_of, need
from kaleido_tf.data.outfit_config import OutfitConfig
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.outfit_report import Found, ItemVectors, find, line_of, verdicts
from kaleido_tf.files.whole_files import check_writable, write_json, write_whole
from kaleido_tf.training.run import train as run_training

FLAGS = flags.FLAGS
PURPOSE = "outfits"
EVALUATION = "evaluation"
"""The folder within a model's that an evaluation writes to."""
METRICS = "outfit_metrics.json"
PREDICTIONS = "outfit_predictions.jsonl"
MOST_ITEMS = 10
"""Items that are listed for a question."""
TITLES = {
    "chance": "chance",
    "colours": "photos of like colours",
    "alike": "photos alike to the start's image encoder",
}


def run(module) -> None:
    """Does what --mode says. Args: module: the script whose flags are kept."""
    if FLAGS.input_schema:
        raise InputError("--task=outfits reads pixel records. Received: --input_schema")
    if FLAGS.mode == "predict":
        raise InputError(
            f"--task=outfits answers with --mode=evaluate, which writes {PREDICTIONS}. Received:"
            " --mode=predict"
        )
    if FLAGS.mode == "evaluate":
        evaluate()
    else:
        train(module, evaluates=FLAGS.mode == "train_and_evaluate")


def train(module, evaluates: bool) -> None:
    """Fine-tunes a model, lets it complete the outfits of --eval_outfits, and says whether it finds
    more than what needs no training.
    """
    need("train_input_fp", "train_outfits", "model_dir")
    need(*(["eval_input_fp", "eval_outfits"] if evaluates else []))
    settings = read_settings(OutfitConfig)
    session = begin_training(PURPOSE, FLAGS.model_config)
    check_completes(session)
    if not session.source.starts:
        print(
            "no --pretrain_model_name_or_path: the image encoder is new, and its batch norms stay"
            " as they are, since outfits do not train them; a pre-trained FashionViL finds more"
        )
    table = session.open_table(FLAGS.train_input_fp)
    categories = ItemCategories.of_training(table, settings.item_metadata)
    training = open_training(session, table, categories, settings)
    evaluated = None
    if evaluates:
        eval_table = session.open_table(FLAGS.eval_input_fp)
        evaluated = open_evaluated(session, eval_table, categories, settings)
    decisive = (*decisive_of(OutfitConfig), "task")
    leave_settings(FLAGS.model_dir, session.config, session.source.vocabulary, module, decisive)
    description_of(categories, settings).write(pathlib.Path(FLAGS.model_dir))
    before = {}
    if evaluates:
        start = at_its_start(session, categories, settings)
        before = _shown_baselines(start, evaluated, session)
    model, _ = run_training(
        session.run,
        lambda: build(session, categories, settings),
        training,
        evaluated.examples if evaluates else None,
        lambda model, strategy: begin(model, session),
    )
    if evaluates:
        _report(pathlib.Path(FLAGS.model_dir) / EVALUATION, model, evaluated, session, before)
    else:
        print("no verdict: --mode=train evaluates nothing")


def evaluate() -> None:
    """Lets a trained model complete outfits, beside what its own image encoder and colours find."""
    need("eval_input_fp", "eval_outfits")
    settings = read_settings(OutfitConfig)
    session = begin_use(PURPOSE, FLAGS.model_config)
    check_completes(session)
    known = described(session)
    sizes = {"vector_size": known.vector_size, "subspaces": known.subspaces}
    settings = dataclasses.replace(settings, **sizes)
    categories = ItemCategories(known.categories, settings.item_metadata)
    table = session.open_table(FLAGS.eval_input_fp)
    evaluated = open_evaluated(session, table, categories, settings)
    place = session.output_folder(EVALUATION)
    check_writable(place)
    model = loaded(session, categories, settings)
    _report(place, model, evaluated, session, _shown_baselines(model, evaluated, session))


def _shown_baselines(model, evaluated: EvaluatedOutfits, session: Session) -> dict[str, Found]:
    test, found = evaluated.test, {}
    queries = sum(question.is_query for question in test.questions)
    print(
        f"{queries} questions over {len(evaluated.photos)} photos, {len(test.choices)} with"
        f" answers, {len(test.judged[1])} outfits to be judged"
    )
    for name, vectors in baselines(model, evaluated, session, FLAGS.eval_batch_size).items():
        found[name] = find(test, vectors)
        print(line_of(f"baseline, {TITLES[name]}", found[name]), flush=True)
    return found


def _report(
    place: pathlib.Path,
    model,
    evaluated: EvaluatedOutfits,
    session: Session,
    beside: dict[str, Found],
) -> None:
    vectors = vectors_of(model, evaluated, session, FLAGS.eval_batch_size)
    found = find(evaluated.test, vectors)
    best = max(beside, key=lambda name: beside[name].figures["r@1"])
    judged = verdicts(evaluated.test, beside[best], found)
    every = {**beside, "model": found}
    content = {
        "task": "outfits",
        "figures": {name: dict(each.figures) for name, each in every.items()},
        "best_baseline": best,
        "verdicts": [verdict.content() for verdict in judged],
    }
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / METRICS, content)
    lines = _found_first(evaluated, vectors)
    write_whole(place / PREDICTIONS, "".join(json.dumps(line) + "\n" for line in lines))
    print(line_of("model", found) + f"; written to {place / METRICS}")
    for verdict in judged:
        print(f"beside the best baseline ({best}), {verdict}")


def _found_first(evaluated: EvaluatedOutfits, vectors: ItemVectors) -> list[dict]:
    """A line of each question: the items of the wanted category that fit best."""
    test, names = evaluated.test, evaluated.photos.image_ids
    asked = [question for question in test.questions if question.is_query]
    blanks = np.unique([question.blank for question in test.questions])
    wanted = test.categories[[question.blank for question in asked]]
    queries = vectors.means([(q.items, category) for q, category in zip(asked, wanted)])
    lines = []
    for question, category, query in zip(asked, wanted, queries):
        members = blanks[test.categories[blanks] == category]
        scores = vectors.answers[members] @ query
        order = np.argsort(-scores, kind="stable")[:MOST_ITEMS]
        lines.append(
            {
                "items": [names[item] for item in question.items],
                "wanted": names[question.blank],
                "found": [
                    {"image_id": names[members[n]], "score": round(float(scores[n]), 6)}
                    for n in order
                ],
            }
        )
    return lines

"""Recognition of category (`catepred`) and sub-category (`subcatepred`): flags to a run on records,
or (with a schema) on rows of the original.
"""

import pathlib

import numpy as np
from absl import flags

from kaleido_tf.command_line import recognition_rows
from kaleido_tf.command_line.recognition_model import (
    begin,
    build,
    check_same_classes,
    classes_of_model,
    loaded,
    probabilities,
)
from kaleido_tf.command_line.recognition_records import (
    LabelledRecords,
    classes_of_training,
    examples_of,
    labelled,
    yardstick_of,
)
from kaleido_tf.command_line.run_folder import leave_settings
from kaleido_tf.command_line.session import Session, begin_training, begin_use
from kaleido_tf.command_line.setting_flags import read_settings
from kaleido_tf.command_line.shared_flags import START_FLAG, decisive_of, is_given, need
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.photo_views import photos_of
from kaleido_tf.evaluation.recognition_report import (
    judge,
    recognition_content,
    summary,
    unseen_note,
    write_report,
    yardstick_line,
)
from kaleido_tf.evaluation.recognition_yardstick import Yardstick
from kaleido_tf.evaluation.result_files import (
    EXAMPLES,
    PREDICTIONS,
    write_judged_predictions,
    write_predictions,
)
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.objectives.class_list import ClassList
from kaleido_tf.objectives.fine_tuning_config import FineTuningConfig
from kaleido_tf.objectives.recognition import Classifier
from kaleido_tf.objectives.recognition_config import RecognitionConfig
from kaleido_tf.training.run import train as run_training

FLAGS = flags.FLAGS
EVALUATION = "evaluation"
"""The folder within a model's that an evaluation writes to."""


def run(module) -> None:
    """Does what --mode says. Args: module: the script whose flags are kept."""
    if FLAGS.mode.startswith("train") and FLAGS.predict_checkpoint_path:
        print(
            "--predict_checkpoint_path is not read in training, as in the original:"
            f" --{START_FLAG} is what it starts from"
        )
    if FLAGS.input_schema:
        recognition_rows.run(module)
    elif FLAGS.num_classes:
        raise InputError(
            "--num_classes is for rows (--input_schema): records bring the names of their classes."
            f" Received: {FLAGS.num_classes}"
        )
    elif FLAGS.mode == "evaluate":
        evaluate()
    elif FLAGS.mode == "predict":
        predict()
    else:
        train(module, evaluates=FLAGS.mode == "train_and_evaluate")


def train(module, evaluates: bool) -> None:
    """Fine-tunes a model, evaluates it, and says whether that is better than its yardstick."""
    need("train_input_fp", "model_dir", *(["eval_input_fp"] if evaluates else []))
    settings = read_settings(RecognitionConfig)
    session = begin_training("recognition", FLAGS.model_config, _dropout_for(settings))
    table = session.open_table(FLAGS.train_input_fp)
    classes = classes_of_training(table, FLAGS.train_input_fp, FLAGS.task, settings.modalities)
    training = labelled(table, classes, session)
    evaluated = None
    if evaluates:
        evaluated = labelled(session.open_table(FLAGS.eval_input_fp), classes, session)
    folder = pathlib.Path(FLAGS.model_dir)
    check_same_classes(FLAGS.model_dir, classes)
    decisive = decisive_of(RecognitionConfig, FineTuningConfig)
    decisive = (*decisive, "input_sequence_length", "task")
    leave_settings(FLAGS.model_dir, session.config, session.source.vocabulary, module, decisive)
    classes.write(folder)
    yardstick = _shown_yardstick(training, evaluated, classes, session) if evaluates else None
    model, _ = run_training(
        session.run,
        lambda: build(session, classes, settings, evaluated.unseen if evaluates else 0),
        training.examples,
        evaluated.examples.of_plain_views() if evaluates else None,
        lambda model, strategy: begin(model, training.examples, session),
    )
    if evaluates:
        scores = _scores(session, model, evaluated)
        _report(folder / EVALUATION, evaluated, scores, yardstick, classes)
    else:
        print("no verdict: --mode=train evaluates nothing")


def _dropout_for(settings: RecognitionConfig) -> float | None:
    """--dropout. Raises: InputError where there is none to change."""
    dropout = read_settings(FineTuningConfig).dropout
    if settings.freeze_encoder and dropout is not None:
        raise InputError(
            f"--dropout={dropout} is of the encoder, which --freeze_encoder leaves without."
            " Received both"
        )
    return dropout


def evaluate() -> None:
    """Evaluates a fine-tuned model on --eval_input_fp; with --train_input_fp also its yardstick."""
    need("eval_input_fp")
    session = begin_use("recognition", FLAGS.model_config)
    classes = _classes_of(session)
    evaluated = labelled(session.open_table(FLAGS.eval_input_fp), classes, session)
    place = session.output_folder(EVALUATION)
    check_writable(place)
    yardstick = None
    if FLAGS.train_input_fp:
        training = labelled(session.open_table(FLAGS.train_input_fp), classes, session)
        yardstick = _shown_yardstick(training, evaluated, classes, session)
    scores = _scores(session, loaded(session, classes), evaluated)
    _report(place, evaluated, scores, yardstick, classes)
    if yardstick is None:
        print("no verdict: the yardstick needs the training records (--train_input_fp)")


def predict() -> None:
    """Writes the most likely classes of every photo of --predict_input_fp."""
    need("predict_input_fp")
    session = begin_use("recognition", FLAGS.model_config)
    classes = _classes_of(session)
    table = session.open_table(FLAGS.predict_input_fp)
    place = session.output_folder()
    check_writable(place)
    # Their own classes, if they have any, are not asked for.
    examples = examples_of(table, np.zeros(len(table), np.int32), classes, session)
    model, photos = loaded(session, classes), photos_of(table)
    scores = probabilities(session, model, examples, photos, FLAGS.predict_batch_size)
    path, plain = place / PREDICTIONS, photos.plain
    products, images = table.product_ids[plain], table.image_ids[plain]
    write_predictions(path, products, images, classes.names, scores, FLAGS.top_classes)
    print(f"{path}: {len(photos)} images, {len(classes.names)} classes")


def _classes_of(session: Session) -> ClassList:
    asked = FLAGS.modalities if is_given("modalities") else None
    return classes_of_model(session, FLAGS.task, asked)


def _scores(session: Session, model: Classifier, records: LabelledRecords) -> np.ndarray:
    batch_size = FLAGS.eval_batch_size
    return probabilities(session, model, records.examples, records.photos, batch_size)


def _shown_yardstick(
    training: LabelledRecords, evaluated: LabelledRecords, classes: ClassList, session: Session
) -> Yardstick:
    for note in unseen_note(evaluated.evaluated):
        print(note)
    yardstick = yardstick_of(training, evaluated, classes, session)
    print(yardstick_line(evaluated.evaluated, yardstick), flush=True)
    return yardstick


def _report(
    place: pathlib.Path,
    records: LabelledRecords,
    scores: np.ndarray,
    yardstick: Yardstick | None,
    classes: ClassList,
) -> None:
    predictions, evaluated = scores.argmax(axis=1), records.evaluated
    verdict = judge(evaluated, yardstick, predictions) if yardstick else None
    settings = {"task": classes.task, "modalities": classes.modalities}
    content = recognition_content(evaluated, predictions, yardstick, verdict, settings)
    write_report(place, content)
    write_judged_predictions(
        place / EXAMPLES,
        evaluated.products,
        records.image_ids,
        evaluated.labels,
        evaluated.names,
        scores,
    )
    if yardstick is None:
        for note in unseen_note(evaluated):
            print(note)
    print(summary(content) + f"; written to {place}")
    if verdict:
        print(verdict)

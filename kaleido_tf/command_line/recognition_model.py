"""The classifier of a recognition run: built, begun, loaded, used, and held against what its folder
says of it.
"""

import pathlib

import numpy as np

from kaleido_tf.command_line.session import Session
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.data.labelled_examples import LabelledExamples
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.photo_views import Photos
from kaleido_tf.evaluation.scoring import score_batches
from kaleido_tf.objectives.class_list import NAME, ClassList, read_class_list
from kaleido_tf.objectives.recognition import Classifier, balanced_weights
from kaleido_tf.objectives.recognition_config import RecognitionConfig
from kaleido_tf.training.checkpoints import find_checkpoint, model_files
from kaleido_tf.training.strategy import make_strategy, set_precision

_LISTED = 5
"""Names that a message shows before it only counts."""


def build(
    session: Session, classes: ClassList, settings: RecognitionConfig, unseen: int = 0
) -> Classifier:
    """A new classifier; called in the strategy's scope. Args: unseen: as `Classifier`."""
    length, empty = session.text_length, session.config.EMPTY_TEXT_PLACES
    if classes.modalities == "image" and empty:
        length = empty
    balanced = settings.class_weights == "balanced"
    weights = balanced_weights(classes.train_counts) if balanced else None
    return Classifier(
        session.config, classes.task, classes.num_classes, length, settings, weights, unseen
    )


def begin(model: Classifier, examples: LabelledExamples, session: Session) -> None:
    """Gives a new classifier the weights that its encoder begins with."""
    if model.sees_images:
        # Before the weights: a BERT of texts alone has none that normalise image features.
        model.backbone.prepare(examples)
    if session.source.starts:
        load_start(model.backbone, *session.source.starts)


def loaded(session: Session, classes: ClassList) -> Classifier:
    """The fine-tuned classifier that a command uses. Raises: InputError if its weights do not fit
    its class list.
    """
    set_precision(session.run.device.precision)
    with make_strategy(session.run.device).scope():
        model = build(session, classes, RecognitionConfig(modalities=classes.modalities))
    load_weights(model, session.source.start)
    return model


def probabilities(
    session: Session, model: Classifier, examples: LabelledExamples, photos: Photos, batch_size: int
) -> np.ndarray:
    """[N, C] float64 of N photos in their order, each the mean over its views.

    Args: examples: of all records, the views of `photos`. batch_size: of a replica.
    """
    strategy = make_strategy(session.run.device)
    batches = examples.evaluation_batches(batch_size * strategy.num_replicas_in_sync)
    logits = score_batches(model.logits, strategy, batches, len(examples), "images")
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return photos.mean(powers / powers.sum(axis=1, keepdims=True))


def classes_of_model(session: Session, task: str, modalities: str | None) -> ClassList:
    """The class list beside a fine-tuned model's weights. Args: task, modalities: that the command
    asks for; None: whichever it has.

    Raises: InputError for a model that was not fine-tuned on records, or for another task or
      modalities than the command asks for.
    """
    weights = session.source.start
    folder = model_files(weights)[0].parent
    classes = read_class_list(folder)
    if classes is None or classes.names is None:
        known = "it knows its classes by number" if classes else f"there is no {NAME} beside it"
        raise InputError(
            f"A model that was fine-tuned for recognition on records is needed. Received: {weights}"
            f" ({known})"
        )
    if classes.task != task:
        raise InputError(
            f"A model that was fine-tuned for --task={task} is needed. {weights} was for"
            f" --task={classes.task}"
        )
    if modalities not in (None, classes.modalities):
        raise InputError(
            f"--modalities must be what the model was fine-tuned with, {classes.modalities}."
            f" Received: {modalities}"
        )
    return classes


def check_same_classes(folder: str, classes: ClassList) -> None:
    """Before a run in `folder` is gone on with. Raises: InputError if its classes were others."""
    before = read_class_list(folder) if find_checkpoint(folder) else None
    if before is None or before.names is None or before.names == classes.names:
        return
    gone = sorted(set(before.names) - set(classes.names))
    new = sorted(set(classes.names) - set(before.names))
    raise InputError(
        f"--model_dir={folder} holds a run with other classes than --train_input_fp names now (no"
        f" longer there: {_some(gone)}; new: {_some(new)}). Use another --model_dir, and"
        f" --pretrain_model_name_or_path={pathlib.Path(folder)} to start from its encoder"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return (", ".join(names[:_LISTED]) or "none") + more

"""The model of outfit completion as its command uses it: built, begun, loaded, and asked for
vectors.

I = items (photos), F = size of a vector.
"""

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.command_line.outfit_records import EvaluatedOutfits, ItemCategories
from kaleido_tf.command_line.session import Session
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.data.outfit_config import OutfitConfig
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.colour_histograms import colour_histograms
from kaleido_tf.evaluation.outfit_report import ItemVectors, same_for_all
from kaleido_tf.evaluation.scoring import score_batches
from kaleido_tf.families import FAMILIES, build_model
from kaleido_tf.objectives.outfit_description import (
    NAME,
    OutfitDescription,
    read_outfit_description,
)
from kaleido_tf.training.checkpoints import model_files
from kaleido_tf.training.strategy import make_strategy, set_precision

ASKED_AT_ONCE = 4096


def check_completes(session: Session) -> None:
    """Raises: InputError for a family that completes no outfits."""
    if FAMILIES[session.config.model_type].outfit_model is None:
        raise InputError(
            f"--task=outfits needs a FashionViL. Received: a {session.config.model_type}"
        )


def build(session: Session, categories: ItemCategories, settings: OutfitConfig):
    """A new model; called in the strategy's scope."""
    return FAMILIES[session.config.model_type].outfit_model(
        session.config,
        len(categories.names),
        settings.vector_size,
        settings.subspaces,
        settings.trained_stages,
    )


def begin(model, session: Session) -> None:
    """Gives a new model the image encoder of its start."""
    _ = model.trainable_variables  # makes all weights
    if session.source.starts:
        whole = build_model(session.config, (), session.text_length)
        _ = whole.pretrainer
        load_start(whole, *session.source.starts)
        model.start_from(whole.named_layers["image_encoder"])


def at_its_start(session: Session, categories: ItemCategories, settings: OutfitConfig):
    """A model as a run has it before its first step."""
    set_precision(session.run.device.precision)
    tf_keras.utils.set_random_seed(session.run.seed)
    with make_strategy(session.run.device).scope():
        model = build(session, categories, settings)
        begin(model, session)
    return model


def description_of(categories: ItemCategories, settings: OutfitConfig) -> OutfitDescription:
    """Of a new model."""
    return OutfitDescription(tuple(categories.names), settings.vector_size, settings.subspaces)


def described(session: Session) -> OutfitDescription:
    """Of the model that a command uses. Raises: InputError for a model that was not trained to
    complete outfits.
    """
    weights = session.source.start
    found = read_outfit_description(model_files(weights)[0].parent)
    if found is None:
        raise InputError(
            f"A model that was fine-tuned for --task=outfits is needed, with its {NAME}. Received:"
            f" {weights}"
        )
    return found


def loaded(session: Session, categories: ItemCategories, settings: OutfitConfig):
    """The model that a command uses. Raises: InputError if its weights do not fit."""
    set_precision(session.run.device.precision)
    with make_strategy(session.run.device).scope():
        model = build(session, categories, settings)
        _ = model.trainable_variables
    load_weights(model, session.source.start)
    return model


def vectors_of(model, outfits: EvaluatedOutfits, session: Session, batch_size: int) -> ItemVectors:
    """What the model makes of all photos. Args: batch_size: of a replica."""
    features = _of_photos(
        lambda batch, training: model.features(model.images_of(batch["photo"])),
        outfits,
        session,
        batch_size,
    )
    categories = outfits.test.categories

    def ask(items, wanted):
        parts = []
        for start in range(0, len(items), ASKED_AT_ONCE):
            chosen = slice(start, start + ASKED_AT_ONCE)
            asked = features[items[chosen]], categories[items[chosen]], wanted[chosen]
            parts.append(model.question_vectors(*map(tf.constant, asked)).numpy())
        return np.concatenate(parts)

    return ItemVectors(model.answer_vectors(tf.constant(features)).numpy(), ask)


def baselines(
    model, outfits: EvaluatedOutfits, session: Session, batch_size: int
) -> dict[str, ItemVectors]:
    """What asks nothing of training: chance, how alike two photos are in colour, and to the image
    encoder that `model` starts from.
    """

    def alike(batch, training):
        del training
        tokens = model.named_layers["image_encoder"](model.images_of(batch["photo"]))
        return tf.math.l2_normalize(tf.reduce_mean(tf.cast(tokens, tf.float32), axis=1), axis=-1)

    def coloured(batch, training):
        del training
        return colour_histograms(batch["photo"])

    alike, colours = (
        _of_photos(function, outfits, session, batch_size) for function in (alike, coloured)
    )
    asked = {"chance": np.zeros_like(colours), "colours": colours, "alike": alike}
    return {name: same_for_all(vectors) for name, vectors in asked.items()}


def _of_photos(compute, outfits, session, batch_size) -> np.ndarray:
    strategy = make_strategy(session.run.device)
    batches = outfits.examples.photo_batches(batch_size * strategy.num_replicas_in_sync)
    return score_batches(compute, strategy, batches, len(outfits.photos), "photos")

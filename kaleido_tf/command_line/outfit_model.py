"""The model of outfit completion as its command uses it: built, begun, loaded, and asked for
vectors.

I = items (photos), F = size of a vector.
"""

import pathlib

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.command_line.outfit_records import EvaluatedOutfits, ItemCategories
from kaleido_tf.command_line.session import Session
from kaleido_tf.compat.checkpoints.filling import listed
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.state_dict import StateDictFile, has_state_dict
from kaleido_tf.data.outfit_config import OutfitConfig
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.colour_histograms import colour_histograms
from kaleido_tf.evaluation.outfit_report import ItemVectors, same_for_all
from kaleido_tf.evaluation.scoring import score_batches
from kaleido_tf.families import FAMILIES, build_model
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.training.checkpoints import load_own_checkpoint, model_files
from kaleido_tf.training.strategy import make_strategy, set_precision

NAME = "outfits.json"
"""Beside a model: what its vectors are, and the categories that it knows."""
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


def leave_description(folder: str, categories: ItemCategories, settings: OutfitConfig) -> None:
    """Writes `outfits.json` into a model's folder."""
    content = {
        "categories": list(categories.names),
        "vector_size": settings.vector_size,
        "subspaces": settings.subspaces,
    }
    write_json(pathlib.Path(folder) / NAME, content)


def described(session: Session) -> tuple[tuple[str, ...], int, int]:
    """Categories, vector size and subspaces of the model that a command uses. Raises: InputError
    for a model that was not trained to complete outfits.
    """
    weights = session.source.start
    path = model_files(weights)[0].with_name(NAME)
    content = read_json_object(path) if path.is_file() else {}
    names, sizes = content.get("categories"), [content.get(n) for n in ("vector_size", "subspaces")]
    if not isinstance(names, list) or not all(isinstance(size, int) for size in sizes):
        raise InputError(
            f"A model that was fine-tuned for --task=outfits is needed, with its {NAME}. Received:"
            f" {weights}"
        )
    return tuple(names), *sizes


def loaded(session: Session, categories: ItemCategories, settings: OutfitConfig):
    """The model that a command uses. Raises: InputError if its weights do not fit."""
    set_precision(session.run.device.precision)
    with make_strategy(session.run.device).scope():
        model = build(session, categories, settings)
        _ = model.trainable_variables
    weights = session.source.start
    if has_state_dict(weights):
        _load_state_dict(model, weights)
    else:
        load_own_checkpoint(model, weights)
    return model


def _load_state_dict(model, path: str) -> None:
    """Fills a model with the release's state dict of outfit completion (CSA-Net)."""
    file, names = StateDictFile(path), FAMILIES[model.config.model_type].outfit_names(model)
    wrong = [
        f"{name} needs {list(entry.original_shape)}, found {list(file.shapes.get(name, ()))}"
        for name, entry in names.items()
        if file.shapes.get(name) != entry.original_shape
    ]
    if wrong:
        raise InputError(
            f"{path} does not fit the model of its config.json and {NAME}. Missing or of another"
            f" shape: {len(wrong)} ({listed(wrong)})"
        )
    for name, entry in names.items():
        entry.variable.assign(entry.to_ours(file.read(name)))


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

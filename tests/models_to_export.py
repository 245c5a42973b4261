"""Tiny models of both families as training would leave them, and their folders."""

import json

import numpy as np

from kaleido_tf.families import build_model
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.text import DEFAULT_VOCABULARY
from kaleido_tf.training.checkpoints import Checkpoint

COMPARES = dict(
    comparison_size=4,
    comparison_tower_size=6,
    comparison_members=2,
    comparison_bank=9,
    comparison_neighbours=3,
)
KEPT = 7
"""Training products in the bank, fewer than it has places."""


def tiny(config_class=KaleidoBertConfig, **changes):
    """A model of random weights; its comparison, where it has one, has a bank."""
    sizes = dict(
        vocab_size=23,
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=11,
        text_seq_len=8,
        patch_feature_size=5,
        patch_feature_norm="standard",
        initializer_range=0.3,
    )
    if config_class is FashionBertConfig:
        sizes["max_patch_position_embeddings"] = 16
    model = build_model(config_class(**{**sizes, **changes}), (), None)
    _ = model.matcher
    if model.compares:
        _fill(model)
    return model


def _fill(model) -> None:
    """As if the comparison had been trained: words with weights, and products that it kept."""
    draw, layer = np.random.default_rng(3), model.named_layers["comparison"]
    words = model.config.vocab_size
    for number, member in enumerate(layer.members):
        for variable in (member.word_weights, member.rarity):
            variable.assign(draw.uniform(0.1, 1, words) * (np.arange(words) % 4 > 0))
        member.spreads.assign([0.4 + number, 0.7])
        for variable in (member.bank_patches, member.bank_images):
            kept = draw.normal(size=variable.shape)
            kept[KEPT:] = 0
            variable.assign(kept / np.maximum(np.linalg.norm(kept, axis=-1, keepdims=True), 1e-9))
    ids = draw.integers(5, words, layer.bank_ids.shape)
    ids[np.arange(len(ids)), draw.integers(3, ids.shape[1], len(ids))] = 5  # a word twice
    ids[KEPT:] = 0
    layer.bank_ids.assign(ids)
    layer.bank_size.assign(KEPT)
    if model.reads_comparison:
        layer.measure_fits()


def photos_for(model, count: int, seed: int = 4):
    """Patch features and boxes of photos that the model reads."""
    draw, patches = np.random.default_rng(seed), model.num_patches
    features = draw.normal(size=[count, patches, model.config.patch_feature_size])
    boxes = np.sort(draw.integers(0, 80, [count, patches, 5]), axis=-1)
    return features.astype(np.float32), boxes.astype(np.int32)


def texts_for(model, count: int, length: int, seed: int = 5):
    """Word piece ids [count, length] of texts of several lengths; 0 is padding."""
    draw = np.random.default_rng(seed)
    ids = draw.integers(1, model.config.vocab_size, [count, length])
    used = draw.integers(1, length + 1, [count, 1])
    used[0] = length
    return np.where(np.arange(length) < used, ids, 0).astype(np.int32)


def save(model, folder):
    """Writes a model's folder."""
    folder.mkdir(parents=True)
    Checkpoint(model=model).save(str(folder / "model.ckpt"))
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    (folder / "vocab.txt").write_bytes(DEFAULT_VOCABULARY.read_bytes())
    return folder

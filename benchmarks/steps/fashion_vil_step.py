"""A step of FashionViL's pre-training as its release's last config has it (ResNet-50 and BERT-base,
224 pixels, 75 words, six tasks, AdamW, no clipping).

A run gives each update to one task, which it draws; none of the six comes for less than 15% or more
than 20% of the updates. A step that is measured is the mean of six updates, one for each task in
the order of the release, each of the whole model: what another task has reached goes on moving by
its moments, here and in PyTorch (`zero_grad(set_to_none=False)`), as in the release. The rate is
that of the first update.
"""

import numpy as np

from benchmarks.steps import training
from benchmarks.steps.settings import StepSettings

UPDATES = 6
RATE, MULTIPLIER, DECAY, CLIP = 0.25 * 1e-5, 20, 1e-4, 0.0
MASKED, ATTRIBUTES, CELLS = 11, 5, 8
"""Word pieces, attributes and image tokens of an example: 15% of 75 words; BEiT's 8 of 49."""
HIDDEN_SHARE = 0.25
SQUARE = 16
"""Pixels a side of the squares of one colour that photos are made of, so that they differ in more
than their noise."""


def make_config(settings: StepSettings):
    from kaleido_tf.models.fashion_vil.config import FashionVilConfig

    chances = (
        {}
        if settings.dropout
        else dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
    )
    return FashionVilConfig(**chances)


def draw_batch(model, size: int) -> dict[str, np.ndarray]:
    """`size` examples as the tasks of a FashionViL take them; every text is full."""
    draw, config, words = np.random.default_rng(1), model.config, model.text_length
    masked = min(MASKED, words)
    slots = np.arange(words) < masked
    ids = draw.integers(1000, config.vocab_size, [3, size, words])
    places = draw.permuted(np.tile(np.arange(words), [size, 1]), axis=1)
    listed = draw.permuted(_row_of_ones(config.num_attributes, ATTRIBUTES, size), axis=1)
    hidden = [
        draw.permuted(_row_of_ones(count, int(HIDDEN_SHARE * count), size), axis=1)
        for count in (words, config.num_tokens)
    ]
    tokens = draw.permuted(_row_of_ones(config.num_tokens, CELLS, size), axis=1)
    return {
        "images": _photos(draw, size, config.image_side),
        "other_images": _photos(draw, size, config.image_side),
        "input_ids": ids[0].astype(np.int32),
        "input_mask": np.ones([size, words], np.int32),
        "masked_input_ids": ids[1].astype(np.int32),
        "masked_lm_positions": (np.sort(places, axis=1) * slots).astype(np.int32),
        "masked_lm_ids": (ids[2] * slots).astype(np.int32),
        "masked_lm_weights": np.tile(slots, [size, 1]).astype(np.float32),
        "masked_tokens": tokens.astype(bool),
        "attributes": (listed / listed.sum(axis=1, keepdims=True)).astype(np.float32),
        "mismatch_draws": draw.uniform(size=size).astype(np.float32),
        "hidden_places": np.concatenate(hidden, axis=1).astype(np.int32),
    }


def _row_of_ones(length, ones, size):
    return np.tile(np.arange(length) < ones, [size, 1])


def _photos(draw, size, side):
    squares = draw.normal(size=[size, side // SQUARE, side // SQUARE, 3]).astype(np.float32)
    noise = 0.1 * draw.normal(size=[size, side, side, 3]).astype(np.float32)
    return np.repeat(np.repeat(squares, SQUARE, axis=1), SQUARE, axis=2) + noise


def make_model(settings: StepSettings):
    """A new model."""
    from kaleido_tf.models.fashion_vil.model import FashionVil

    return FashionVil(make_config(settings))


def rate_of(settings: StepSettings) -> float:
    """Of what moves slowly."""
    return RATE if settings.dropout else RATE / 100


def make_optimizer(model, settings: StepSettings):
    """The release's AdamW; image encoder, projection and heads move faster."""
    from kaleido_tf.training.transformers_adamw import TransformersAdamW

    optimizer = TransformersAdamW(rate_of(settings), DECAY)
    optimizer.build(model.trainable_variables)
    optimizer.multiply_rates(model.fast_variables, MULTIPLIER)
    return optimizer


def make_rival(settings: StepSettings) -> training.Rival:
    """The same in PyTorch."""
    import torch

    from benchmarks.steps.torch_fashion_vil import TorchFashionVil, state_of

    config = make_config(settings)
    model = TorchFashionVil(config, config.hidden_dropout_prob)
    with np.load(settings.folder / "weights.npz") as weights:
        model.load_state_dict(state_of(weights, model.state_dict()))
    batch = training.torch_batch(settings.folder)
    for name in ("images", "other_images"):
        batch[name] = batch[name].permute(0, 3, 1, 2)  # which are channels last in memory
    # Its epsilon is added to the corrected moment's root; this one makes the first update equal.
    epsilon = 1e-8 / (1 - 0.999) ** 0.5
    groups = parameter_groups(model, rate_of(settings))
    optimizer = torch.optim.AdamW(groups, eps=epsilon, fused=True)
    tasks = ("itm", "pac", "itc", "icc", "mlm", "mpfc")
    return training.Rival(model, optimizer, batch, lambda losses: sum(losses.values()), tasks)


def parameter_groups(model, rate: float) -> list[dict]:
    """The release's groups: which weights of a PyTorch model move faster, and which decay."""
    groups = {}
    for name, parameter in model.named_parameters():
        if name.startswith("model.image_tokenizer"):
            parameter.requires_grad_(False)
            continue
        of_image = name.startswith("image_encoder")
        fast = of_image or ".heads." in name or ".projection." in name
        still = not of_image and any(part in name for part in ("bias", "LayerNorm"))
        groups.setdefault((fast, still), []).append(parameter)
    return [
        {
            "params": params,
            "lr": rate * (MULTIPLIER if fast else 1),
            "weight_decay": DECAY * (not still),
        }
        for (fast, still), params in groups.items()
    ]

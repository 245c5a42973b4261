"""A step of the release's MVLT (PVT-tiny, 256 pixels, 128 words): all three losses and AdamW."""

import numpy as np

from benchmarks.steps import training
from benchmarks.steps.settings import StepSettings

MASKED, RATE, DECAY = 20, 1e-4, 0.01


def make_config():
    from kaleido_tf.models.mvlt.config import MvltConfig

    return MvltConfig(hidden_dropout_prob=0.0, drop_path_prob=0.0)


def draw_batch(config, size: int) -> dict[str, np.ndarray]:
    """`size` examples as the pretrainer of an MVLT takes them."""
    draw = np.random.default_rng(1)
    photos = draw.uniform(0, 1, [size, config.image_side, config.image_side, 3])
    ids = draw.integers(1000, config.vocab_size, [size, config.text_seq_len])
    places = [np.sort(draw.permutation(config.text_seq_len)[:MASKED]) for _ in range(size)]
    return {
        "images": photos.astype(np.float32),
        "image_targets": photos.astype(np.float32),
        "input_ids": ids.astype(np.int32),
        "masked_lm_positions": np.array(places, np.int32),
        "masked_lm_ids": draw.integers(1000, config.vocab_size, [size, MASKED]).astype(np.int32),
        "masked_lm_weights": np.ones([size, MASKED], np.float32),
        "next_sentence_label": draw.integers(0, 2, [size]).astype(np.int32),
    }


def tensorflow_step(settings: StepSettings):
    """Writes weights and batch; a function that makes a step and gives its losses."""
    import tensorflow as tf

    from kaleido_tf.models.mvlt.model import Mvlt
    from kaleido_tf.training.optimizer import AdamW

    model, update = training.tensorflow_trainer(
        settings, lambda: Mvlt(make_config()), lambda: AdamW(RATE, DECAY), clip_norm=0.0
    )
    batch = draw_batch(model.config, settings.batch_size)
    np.savez(settings.folder / "batch.npz", **batch)
    training.write_weights(model, settings)
    batch = {name: tf.constant(value) for name, value in batch.items()}
    names = model.loss_names
    return lambda: {name: float(value) for name, value in update(batch).items() if name in names}


def pytorch_step(settings: StepSettings, compiled: bool):
    """A function that makes a step and gives its losses."""
    import torch

    from benchmarks.steps.torch_mvlt import TorchMvlt

    model = TorchMvlt(make_config())
    with np.load(settings.folder / "weights.npz") as weights:
        wanted = model.state_dict()
        model.load_state_dict({name: torch.from_numpy(weights[name]) for name in wanted})
    batch = training.torch_batch(settings.folder)
    for name in ("images", "image_targets"):
        batch[name] = batch[name].permute(0, 3, 1, 2).contiguous()
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, fused=True)
    return training.pytorch_loop(settings, model, optimizer, batch, _total, 0.0, compiled)


def _total(losses):
    return losses["masked_lm_loss"] + losses["next_sentence_loss"] + 10 * losses["image_loss"]

"""A step of the release's MVLT (PVT-tiny, 256 pixels, 128 words): all three losses and AdamW."""

import numpy as np

from benchmarks.steps import training
from benchmarks.steps.settings import StepSettings

UPDATES = 1
MASKED, RATE, DECAY, CLIP = 20, 1e-4, 0.01, 0.0


def make_config():
    from kaleido_tf.models.mvlt.config import MvltConfig

    return MvltConfig(hidden_dropout_prob=0.0, drop_path_prob=0.0)


def draw_batch(model, size: int) -> dict[str, np.ndarray]:
    """`size` examples as the pretrainer of an MVLT takes them."""
    draw, config = np.random.default_rng(1), model.config
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


def make_model(settings: StepSettings):
    """A new model; it is the same without `settings.dropout`."""
    from kaleido_tf.models.mvlt.model import Mvlt

    del settings
    return Mvlt(make_config())


def make_optimizer(model, settings: StepSettings):
    """The release's AdamW."""
    from kaleido_tf.training.optimizer import AdamW

    del settings
    optimizer = AdamW(RATE, DECAY)
    optimizer.build(model.trainable_variables)
    return optimizer


def make_rival(settings: StepSettings) -> training.Rival:
    """The same in PyTorch."""
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
    return training.Rival(model, optimizer, batch, _total)


def _total(losses):
    return losses["masked_lm_loss"] + losses["next_sentence_loss"] + 10 * losses["image_loss"]

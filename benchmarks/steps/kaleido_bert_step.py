"""A step of Kaleido-BERT's base model (L=12, H=768, A=12, 2,048 floats a patch): 64 word pieces and
55 patches, all seven losses, gradients clipped to 1, Adam.
"""

import numpy as np

from benchmarks.steps import training
from benchmarks.steps.settings import StepSettings

UPDATES = 1
MASKED, RATE, CLIP = 10, 1e-4, 1.0
TEXT_LENGTH = 64


def make_config(settings: StepSettings):
    from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig

    chances = (
        {}
        if settings.dropout
        else dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
    )
    return KaleidoBertConfig(**chances)


def draw_batch(model, size: int) -> dict[str, np.ndarray]:
    """`size` examples as the pretrainer of a Kaleido-BERT takes them; every text is full."""
    draw = np.random.default_rng(1)
    config, batch = model.config, {}
    for name, given in model.pretraining_inputs().items():
        shape = [size, *(MASKED if axis is None else axis for axis in given.shape[1:])]
        if name.endswith(("_features", "_targets")):
            value = draw.gamma(0.5, 1.0, shape)  # as average pools of ReLUs are
        elif name.endswith("_boxes"):
            value = draw.integers(0, 256, shape)
        elif name in ("input_ids", "masked_lm_ids"):
            value = draw.integers(1000, config.vocab_size, shape)
        elif name.endswith("_positions"):
            places = _places_of(name, model)
            value = [np.sort(draw.permutation(places)[: shape[1]]) for _ in range(size)]
        elif name in ("input_mask", "masked_lm_weights"):
            value = np.ones(shape)
        elif name == "segment_ids":
            value = np.zeros(shape)
        else:
            value = draw.integers(0, 2, shape)  # labels; every task has two classes at least
        batch[name] = np.asarray(value).astype(given.dtype.as_numpy_dtype)
    return batch


def _places_of(name, model):
    level = name.removesuffix("_positions")
    if level == "masked_lm":
        return model.text_length
    return model.pretraining_inputs()[f"{level}_features"].shape[1]


def make_model(settings: StepSettings):
    """A new model."""
    from kaleido_tf.models.kaleido_bert.model import KaleidoBert

    return KaleidoBert(make_config(settings), text_length=TEXT_LENGTH)


def make_optimizer(model, settings: StepSettings):
    """The original's Adam."""
    from kaleido_tf.training.optimizer import BertAdam

    del settings
    optimizer = BertAdam(RATE)
    optimizer.build(model.trainable_variables)
    return optimizer


def make_rival(settings: StepSettings) -> training.Rival:
    """The same in PyTorch."""
    import torch

    from benchmarks.steps.torch_kaleido_bert import TorchKaleidoBert, state_of

    config = make_config(settings)
    model = TorchKaleidoBert(config, config.hidden_dropout_prob)
    with np.load(settings.folder / "weights.npz") as weights:
        named = {name.partition("/")[2]: array for name, array in weights.items()}
    model.load_state_dict(state_of(named, config))
    # Its epsilon is added to the corrected moment's root; this one makes the first update equal.
    betas, epsilon = (0.9, 0.98), 1e-6 / (1 - 0.98) ** 0.5
    optimizer = torch.optim.Adam(model.parameters(), RATE, betas, epsilon, fused=True)
    batch = training.torch_batch(settings.folder)
    return training.Rival(model, optimizer, batch, lambda losses: sum(losses.values()))

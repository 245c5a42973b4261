"""The settings of a run, as the entry scripts read them from the flags."""

import dataclasses
import math

from kaleido_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """A pre-training run, as the entry script reads it from the flags (which explain each)."""

    train_input_fp: str
    eval_input_fp: str
    model_dir: str
    vocabulary: str
    text_length: int = 64
    train_batch_size: int = 32
    eval_batch_size: int = 16
    num_epochs: float = 1.0
    learning_rate: float = 1e-4
    warmup_ratio: float = 0.1
    warmup_steps: int | None = None
    weight_decay_ratio: float = 0.0
    clip_norm: float = 1.0
    tasks: tuple[str, ...] | None = None
    token_fraction: float = 0.15
    whole_words: bool = False
    masking: str = "aligned"
    negatives: str = "subcategory"
    rise_epochs: float = 30.0
    matching_weight: float = 1.0
    contrastive_epochs: int = 0
    seed: int = 123123
    precision: str = "float32"
    xla: bool = False
    worker_gpus: int = 1
    cpu_replicas: int = 1
    log_steps: int = 100
    save_steps: int | None = None
    eval_steps: int | None = None
    eval_epochs: float = 1.0
    keep_checkpoints: int = 10

    def __post_init__(self):
        positive = (
            "text_length",
            "train_batch_size",
            "eval_batch_size",
            "num_epochs",
            "learning_rate",
            "clip_norm",
            "log_steps",
            "cpu_replicas",
            "keep_checkpoints",
            "eval_epochs",
            "rise_epochs",
        )
        for name in positive:
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"`{name}` must be above 0. Received: {getattr(self, name)}")
        ranges = {
            "warmup_ratio": 1.0,
            "token_fraction": 1.0,
            "weight_decay_ratio": math.inf,
            "matching_weight": math.inf,
            "contrastive_epochs": math.inf,
            "seed": 2**32 - 1,
        }
        for name, largest in ranges.items():
            if not 0 <= getattr(self, name) <= largest:
                raise InputError(
                    f"`{name}` must be 0 to {largest}. Received: {getattr(self, name)}"
                )
        if self.masking not in ("aligned", "random"):
            raise InputError(f"`masking` must be aligned or random. Received: {self.masking!r}")
        if self.text_length < 3:
            raise InputError(
                "`text_length` must be at least 3 ([CLS] token [SEP]). Received:"
                f" {self.text_length}"
            )

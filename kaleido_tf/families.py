"""The table of the model families, by the `model_type` of their `config.json`."""

import dataclasses
from collections.abc import Callable

from kaleido_tf.config import KaleidoBertConfig
from kaleido_tf.models.kaleido_bert import KaleidoBert


@dataclasses.dataclass(frozen=True)
class Family:
    """A family: its config class, and `build(config, tasks, text_length)` to a model with `pretrainer` and `matcher`."""

    config: type
    build: Callable


FAMILIES = {
    "kaleidobert": Family(KaleidoBertConfig, KaleidoBert),
}

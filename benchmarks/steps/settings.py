"""What a step that is measured is: the same for both sides."""

import dataclasses
import pathlib

STEPS = ("kaleido_bert_step", "mvlt_step", "fashion_vil_step")
"""Modules of this folder."""


@dataclasses.dataclass(frozen=True)
class StepSettings:
    """Args: step: of `STEPS`. precision: float32 or bfloat16 (of activations).
    dropout: with the model's own chances, or with none so that both sides compute the same.
    folder: where the first side leaves weights and batch for the others.
    """

    step: str
    batch_size: int
    precision: str
    dropout: bool
    folder: pathlib.Path

    @property
    def is_bfloat16(self) -> bool:
        """Whether activations are bfloat16."""
        return self.precision == "bfloat16"

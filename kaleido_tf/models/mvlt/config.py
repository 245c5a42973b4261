"""The size and behaviour of MVLT (`config.json`)."""

import dataclasses
import itertools
import math
import operator
from typing import ClassVar

from kaleido_tf.errors import InputError
from kaleido_tf.models.config import LARGEST_SIZE, ModelConfig, is_size

PATCH_STRIDES = (4, 2, 2, 2)
"""By how much each stage makes its image map coarser."""

DEPTHS = {
    "tiny": (2, 2, 2, 2),
    "small": (3, 4, 6, 3),
    "medium": (3, 4, 18, 3),
    "large": (3, 8, 27, 3),
}
"""Blocks of each stage by the name that PVT (Wang et al., 2021) gives to the size; widths and heads
do not vary.
"""

_OF_STAGES = ("depths", "widths", "heads", "mlp_ratios", "reduction_ratios")


@dataclasses.dataclass(frozen=True)
class MvltConfig(ModelConfig):
    """MVLT (MIR 2023); the defaults are the release's model on PVT-tiny.

    hidden_size: width of the word embeddings and of the heads; the pyramid has its own.
    text_seq_len: word pieces of a text. Each has a learned position in every stage, so no model
      reads texts of another length.
    depths, widths, heads, mlp_ratios, reduction_ratios: of the four stages. Words and patches of a
      stage with reduction ratio R attend to image places that are R x R patches each, of which
      the photo must have one at least.
    image_side: pixels of a side of the square photo.
    position_side: pixels of a side of the photo for which the tables of patch positions are stored;
      they are resized to the photo at every step, as in the release, which trains at 256 with the
      tables of a network for 224.
    decoder_size: channels of the maps from which masked images are reconstructed.
    image_loss_weight: factor on the loss of reconstruction in the total.
    position_initializer_range: spread of the first tables of positions and segments, beside which
      those of the words (`initializer_range`) must not vanish. In the release it is 1, fifty times
      theirs: a small model is then told where a word stands, and not which one it is.
    drop_path_prob: how often the last block is skipped in training; it grows from 0 in the first.
    """

    MODEL_TYPE: ClassVar[str] = "mvlt"
    EMPTY_TEXT_PLACES: ClassVar[int | None] = None
    ORIGINAL: ClassVar[dict] = {"position_initializer_range": 1.0}
    OURS: ClassVar[tuple[str, ...]] = ("position_initializer_range",)

    vocab_size: int = 30522
    hidden_size: int = 768
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    text_seq_len: int = 128
    image_side: int = 256
    position_side: int = 224
    depths: tuple[int, ...] = DEPTHS["tiny"]
    widths: tuple[int, ...] = (64, 128, 320, 512)
    heads: tuple[int, ...] = (1, 2, 5, 8)
    mlp_ratios: tuple[int, ...] = (8, 8, 4, 4)
    reduction_ratios: tuple[int, ...] = (8, 4, 2, 1)
    decoder_size: int = 64
    num_categories: int = 48
    num_subcategories: int = 122
    image_loss_weight: float = 10.0
    hidden_dropout_prob: float = 0.1
    drop_path_prob: float = 0.1
    initializer_range: float = 0.02
    position_initializer_range: float = 0.02

    def __post_init__(self):
        for field in dataclasses.fields(self):
            self._check_number(field.name, getattr(self, field.name), field.default)
        for name in ("image_side", "position_side"):
            check_side(name, getattr(self, name))
        if any(width % heads for width, heads in zip(self.widths, self.heads)):
            raise InputError(
                "`widths` must be multiples of `heads`, stage by stage. Received: widths="
                f"{list(self.widths)}, heads={list(self.heads)}"
            )
        self._check_reductions()
        if self.text_seq_len > self.max_position_embeddings:
            raise InputError(
                "`text_seq_len` must be at most `max_position_embeddings`="
                f"{self.max_position_embeddings}. Received: {self.text_seq_len}"
            )

    @property
    def record_size(self) -> int:
        """Pixels a side of the photos that it reads."""
        return self.image_side

    @classmethod
    def sizes_of_records(cls, image_size: int, num_patches: int) -> dict[str, int]:
        """Nothing: larger photos than the model sees are cut."""
        del image_size, num_patches
        return {}

    @classmethod
    def of_size(cls, size: str, **changes) -> "MvltConfig":
        """The config of a PVT by its name. Raises: InputError for a name not in `DEPTHS`."""
        if size not in DEPTHS:
            raise InputError(f"The size must be one of {', '.join(DEPTHS)}. Received: {size}")
        return cls(depths=DEPTHS[size], **changes)

    @classmethod
    def from_dict(cls, content: dict, source: str = "config.json") -> "MvltConfig":
        """As the base class; what each stage has is a list in the file."""
        lists = {
            name: tuple(content[name]) for name in _OF_STAGES if isinstance(content.get(name), list)
        }
        return super().from_dict({**content, **lists}, source)

    def to_dict(self) -> dict:
        """As the base class; what each stage has is a list in the file."""
        return {**super().to_dict(), **{name: list(getattr(self, name)) for name in _OF_STAGES}}

    def _check_reductions(self) -> None:
        strides = itertools.accumulate(PATCH_STRIDES, operator.mul)
        grids = [self.image_side // stride for stride in strides]
        if any(ratio > side for ratio, side in zip(self.reduction_ratios, grids)):
            raise InputError(
                f"`reduction_ratios` must be at most the {', '.join(map(str, grids))} patches that"
                f" `image_side`={self.image_side} gives a side of the stages. Received:"
                f" {list(self.reduction_ratios)}"
            )

    def _check_number(self, name, value, default) -> None:
        """Sizes are whole numbers that memory can hold, probabilities stay below 1."""
        if name in _OF_STAGES:
            if len(value) != len(PATCH_STRIDES) or not all(is_size(number) for number in value):
                raise InputError(
                    f"`{name}` must be {len(PATCH_STRIDES)} whole numbers, each at least 1 and at"
                    f" most {LARGEST_SIZE}. Received: {str(list(value))[:80]}"
                )
        elif isinstance(default, int) and not is_size(value):
            raise InputError(
                f"`{name}` must be at least 1 and at most {LARGEST_SIZE}. Received:"
                f" {str(value)[:40]}"
            )
        elif name.endswith("_prob") and not 0 <= value < 1:
            raise InputError(f"`{name}` must be in [0, 1). Received: {value}")
        elif isinstance(default, float) and not 0 <= value < math.inf:
            raise InputError(f"`{name}` must be at least 0. Received: {value}")


def check_side(name: str, side: int) -> None:
    """Raises: InputError where the strides of the stages do not divide a side in pixels."""
    needed = math.prod(PATCH_STRIDES)
    if side < 1 or side % needed:
        raise InputError(
            f"`{name}` must be a multiple of {needed} pixels, the strides"
            f" {', '.join(map(str, PATCH_STRIDES))} of the four stages together. Received: {side}"
        )

"""The size of a patch tokenizer (`config.json` beside its weights)."""

import dataclasses
from typing import ClassVar

from kaleido_tf.errors import InputError
from kaleido_tf.models.config import ModelConfig, is_size

GROUPS = 32
"""Groups of channels that are normalised together."""

_LARGEST_SIZE = 10**5


@dataclasses.dataclass(frozen=True)
class TokenizerConfig(ModelConfig):
    """A VQ-VAE's encoder and codebook; the defaults are the release's (41.2 million parameters).

    hidden_dim: channels of the finest map. multipliers: channels of each level in multiples of it;
      every level but the last halves the map.
    num_blocks: residual blocks a level. z_channels: channels that the encoder leaves.
    code_dim, num_codes: length and number of the codes.
    image_side: pixels of a side of the photos; the map of codes has `grid` cells a side.
    """

    MODEL_TYPE: ClassVar[str] = "fashionvil_tokenizer"
    OURS: ClassVar[tuple[str, ...]] = ("image_side",)

    hidden_dim: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    num_blocks: int = 2
    z_channels: int = 256
    code_dim: int = 256
    num_codes: int = 1024
    image_side: int = 224

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "multipliers" and not is_size(value, _LARGEST_SIZE):
                raise InputError(
                    f"`{field.name}` must be a whole number from 1 to {_LARGEST_SIZE}. Received:"
                    f" {str(value)[:40]}"
                )
        if not self.multipliers or not all(
            is_size(number, _LARGEST_SIZE) for number in self.multipliers
        ):
            raise InputError(
                f"`multipliers` must be whole numbers from 1 to {_LARGEST_SIZE}, one a level."
                f" Received: {str(list(self.multipliers))[:80]}"
            )
        if self.hidden_dim % GROUPS:
            raise InputError(
                f"`hidden_dim` must be a multiple of {GROUPS}, the groups of channels that are"
                f" normalised together. Received: {self.hidden_dim}"
            )
        if self.image_side % self.stride:
            raise InputError(
                f"`image_side` must be a multiple of {self.stride} pixels, which"
                f" {len(self.multipliers)} levels make one cell. Received: {self.image_side}"
            )

    @property
    def stride(self) -> int:
        """Pixels of a side of a cell."""
        return 2 ** (len(self.multipliers) - 1)

    @property
    def grid(self) -> int:
        """Cells of a side of the map of codes."""
        return self.image_side // self.stride

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        return tuple(self.hidden_dim * number for number in self.multipliers)

    @property
    def layer_sizes(self) -> dict:
        """What a `PatchTokenizer` takes."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "image_side"
        }

    @classmethod
    def from_dict(cls, content: dict, source: str = "config.json") -> "TokenizerConfig":
        """As the base class; the multipliers are a list in the file."""
        listed = content.get("multipliers")
        changes = {"multipliers": tuple(listed)} if isinstance(listed, list) else {}
        return super().from_dict({**content, **changes}, source)

    def to_dict(self) -> dict:
        """As the base class; the multipliers are a list in the file."""
        return {**super().to_dict(), "multipliers": list(self.multipliers)}

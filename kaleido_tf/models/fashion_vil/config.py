"""The size and behaviour of FashionViL (`config.json`)."""

import dataclasses
import math
from typing import ClassVar

from kaleido_tf.errors import InputError
from kaleido_tf.models.config import LARGEST_SIZE, ModelConfig, is_size
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig

PATCH_SIDE = 32
"""Pixels a side of what one image token stands for: the strides of the ResNet together."""
STAGES = 4


@dataclasses.dataclass(frozen=True)
class FashionVilConfig(ModelConfig):
    """FashionViL; the defaults are the release's model: a ResNet-50 and BERT-base.

    image_side: pixels of a side of the square photo, a multiple of 32.
    stem_width: channels that the ResNet's first convolution gives; its last stage gives 32 times as
      many. image_depths: bottleneck blocks of its four stages.
    trained_image_parts: `all` of the image encoder, as in the release; its `convolutions`: means,
      variances, scales and shifts of the batch norms stay, which small batches may need; `none`.
    num_attributes: pseudo-attributes that are told apart.
    patch_tokenizer: the size of what tells masked patches apart; without it that of the release for
      photos of `image_side`. Its cells must be the image tokens.
    contrastive_scale: length that a text's or image's vector has before it is learnt; the square of
      it is what an inverse temperature is elsewhere.
    """

    MODEL_TYPE: ClassVar[str] = "fashion_vil"
    ALWAYS: ClassVar[dict] = {"hidden_gelu": "erf"}

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02
    type_vocab_size: int = 2
    max_position_embeddings: int = 512
    layer_norm_eps: float = 1e-12
    text_seq_len: int = 75
    image_side: int = 224
    stem_width: int = 64
    image_depths: tuple[int, ...] = (3, 4, 6, 3)
    trained_image_parts: str = "all"
    num_attributes: int = 2232
    patch_tokenizer: TokenizerConfig = TokenizerConfig()
    contrastive_scale: float = 4.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            self._check_number(field.name, getattr(self, field.name), field.default)
        if len(self.image_depths) != STAGES or not all(map(is_size, self.image_depths)):
            raise InputError(
                f"`image_depths` must be {STAGES} whole numbers, each at least 1. Received:"
                f" {str(list(self.image_depths))[:80]}"
            )
        if self.hidden_size % self.num_attention_heads:
            raise InputError(
                "`hidden_size` must be a multiple of `num_attention_heads`. Received: hidden_size="
                f"{self.hidden_size}, num_attention_heads={self.num_attention_heads}"
            )
        if self.image_side % PATCH_SIDE:
            raise InputError(
                f"`image_side` must be a multiple of {PATCH_SIDE} pixels, the strides of the image"
                f" encoder together. Received: {self.image_side}"
            )
        tokenizer = self.patch_tokenizer
        if (tokenizer.image_side, tokenizer.grid) != (self.image_side, self.image_grid):
            raise InputError(
                f"`patch_tokenizer` must cut photos of `image_side`={self.image_side} into the"
                f" {self.image_grid} x {self.image_grid} image tokens. Received: one that cuts"
                f" photos of {tokenizer.image_side} into {tokenizer.grid} x {tokenizer.grid}"
            )
        self._check_choice("trained_image_parts", ("all", "convolutions", "none"))
        for name, places in (("text_seq_len", self.text_seq_len), ("image_side", self.num_tokens)):
            if places > self.max_position_embeddings:
                raise InputError(
                    f"`{name}` needs {places} places, `max_position_embeddings`="
                    f"{self.max_position_embeddings} are there"
                )

    @property
    def image_grid(self) -> int:
        """Image tokens a side."""
        return self.image_side // PATCH_SIDE

    @property
    def num_tokens(self) -> int:
        """Image tokens of a photo."""
        return self.image_grid**2

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
    def from_dict(cls, content: dict, source: str = "config.json") -> "FashionVilConfig":
        """As the base class; in the file `image_depths` is a list, `patch_tokenizer` an object."""
        changed, depths = {}, content.get("image_depths")
        if isinstance(depths, list):
            changed["image_depths"] = tuple(depths)
        side = content.get("image_side", cls.image_side)
        tokenizer = content.get("patch_tokenizer", {"image_side": side})
        if isinstance(tokenizer, dict):
            where = f"{source}, `patch_tokenizer`"
            changed["patch_tokenizer"] = TokenizerConfig.from_dict(tokenizer, where)
        return super().from_dict({**content, **changed}, source)

    def to_dict(self) -> dict:
        """As `from_dict` reads it."""
        return {
            **super().to_dict(),
            "image_depths": list(self.image_depths),
            "patch_tokenizer": self.patch_tokenizer.to_dict(),
        }

    def _check_number(self, name, value, default) -> None:
        """Sizes are whole numbers that memory can hold, probabilities stay below 1."""
        if isinstance(default, int) and not is_size(value):
            raise InputError(
                f"`{name}` must be at least 1 and at most {LARGEST_SIZE}. Received:"
                f" {str(value)[:40]}"
            )
        if name.endswith("_prob") and not 0 <= value < 1:
            raise InputError(f"`{name}` must be in [0, 1). Received: {value}")
        if isinstance(default, float) and not 0 <= value < math.inf:
            raise InputError(f"`{name}` must be at least 0. Received: {value}")

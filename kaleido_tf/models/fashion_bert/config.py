"""The size and behaviour of FashionBERT (`config.json`)."""

import dataclasses
from typing import ClassVar

from kaleido_tf.errors import InputError
from kaleido_tf.models.config import BertConfig


@dataclasses.dataclass(frozen=True)
class FashionBertConfig(BertConfig):
    """FashionBERT (SIGIR 2020; EasyTransfer's `imagebert`); the defaults are its base model with
    8x8 patches.

    max_patch_position_embeddings: number of patches, row by row, each with a learned position.
    masked_image_token_num: patches that are blanked and to be predicted.
    masked_text_token_num: most word pieces that are masked.
    """

    MODEL_TYPE: ClassVar[str] = "imagebert"
    # The original is told the length of its texts by a flag.
    OURS: ClassVar[tuple[str, ...]] = (*BertConfig.OURS, "text_seq_len")

    patch_type_vocab_size: int = 2
    max_patch_position_embeddings: int = 64
    masked_image_token_num: int = 5
    masked_text_token_num: int = 10

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.masked_image_token_num < self.max_patch_position_embeddings:
            raise InputError(
                f"`masked_image_token_num` must be 1 to {self.max_patch_position_embeddings - 1}"
                f" (below the number of patches). Received: {self.masked_image_token_num}"
            )

    @property
    def max_masked_tokens(self) -> int:
        """Most word pieces of a text that are masked."""
        return self.masked_text_token_num

    @classmethod
    def sizes_of_records(cls, feature_size: int, num_patches: int) -> dict[str, int]:
        """As the base class, and the number of patches."""
        sizes = super().sizes_of_records(feature_size, num_patches)
        return {**sizes, "max_patch_position_embeddings": num_patches}

"""A tiny FashionViL, and what it reads: items of two photos, attributes, a patch tokenizer."""

import pathlib

from kaleido_tf.data.pseudo_attributes import AttributeVocabulary, write_attributes
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from kaleido_tf.models.fashion_vil.tokenizer_file import build_tokenizer, save_tokenizer
from tests import pixel_records

ATTRIBUTES = ("red", "dress", "skirt", "blue", "never")
TOKENIZER = TokenizerConfig(
    hidden_dim=32,
    multipliers=(1, 1, 1, 1, 1, 1),
    num_blocks=1,
    z_channels=6,
    code_dim=5,
    num_codes=7,
    image_side=pixel_records.SIDE,
)


def tiny_fashion_vil(**changes) -> FashionVilConfig:
    """A FashionViL whose sizes all differ, without dropout."""
    sizes = {
        "hidden_size": 20,
        "num_hidden_layers": 1,
        "num_attention_heads": 5,
        "intermediate_size": 33,
        "max_position_embeddings": 13,
        "text_seq_len": pixel_records.LENGTH,
        "image_side": pixel_records.SIDE,
        "stem_width": 3,
        "image_depths": (1, 1, 1, 1),
        "num_attributes": 6,
        "patch_tokenizer": TOKENIZER,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return FashionVilConfig(**{**sizes, **changes})


def two_photos(number: int) -> dict:
    """What makes every second record another photo of the item before it."""
    item = pixel_records.fields_of(number // 2)
    same = {name: item[name] for name in ("product_id", "text", "title", "token_ids")}
    image = f"{item['product_id']}_{number % 2 + 1}"
    return {**same, "image_id": image, "subcategory_id": item["subcategory_id"]}


def write(folder: pathlib.Path) -> dict[str, str]:
    """Records in `train` and `valid` below the folder; returns the settings that name attributes
    and tokenizer.
    """
    pixel_records.write(folder / "train", 16, change=two_photos)
    pixel_records.write(folder / "valid", 7, change=two_photos)
    attributes = AttributeVocabulary(
        ATTRIBUTES, (5, 4, 3, 2, 1), pixel_records.CATALOGUE_DIGEST, "description"
    )
    write_attributes(folder / "attributes.txt", attributes)
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir()
    save_tokenizer(tokenizer, TOKENIZER, build_tokenizer(TOKENIZER))
    return {"pseudo_attributes": str(folder / "attributes.txt"), "patch_tokenizer": str(tokenizer)}

"""How records are made: their settings, and the text that is paired with a product's photos."""

import dataclasses

from data_prep.catalogue.products import Product, ProductImage
from data_prep.foreground.product_crops import check_choice
from kaleido_tf.errors import InputError
from kaleido_tf.records.record import KALEIDO
from kaleido_tf.text import DEFAULT_VOCABULARY

TEXT_FIELDS = ("description", "title", "title_and_description")


@dataclasses.dataclass(frozen=True)
class RecordSettings:
    """How records are made. `layout`: a name of `record.LAYOUTS`. `patch_size` None: patches at
    their own size; else pixels a side (224 as the original).

    `crop_size`: long side of the working crop in pixels (256 is the photo size of Fashion-Gen).
    `foreground`: a name of `product_crops.METHODS`; `unet` needs `foreground_weights` (a file of
      `data_prep.train_saliency`),
    `masks` needs `foreground_masks` (a folder of PNGs).
    `on_bad_record`: `fail` stops at the first unusable product, `skip` leaves it out and lists it,
      but still fails
    once more than `max_bad_fraction` of the images is bad.
    """

    layout: str = KALEIDO.name
    backbone: str = "resnet50"
    backbone_weights: str = "imagenet"
    patch_size: int | None = None
    crop_size: int = 256
    foreground: str = "border"
    foreground_weights: str = ""
    foreground_masks: str = ""
    text_field: str = "description"
    vocabulary: str = str(DEFAULT_VOCABULARY)
    records_per_shard: int = 256
    images_per_batch: int = 16
    on_bad_record: str = "fail"
    max_bad_fraction: float = 0.01

    def __post_init__(self):
        check_choice(self.foreground, self.foreground_weights, self.foreground_masks)
        if self.text_field not in TEXT_FIELDS:
            raise InputError(
                f"`text_field` must be one of {', '.join(TEXT_FIELDS)}. Received: {self.text_field}"
            )
        if self.on_bad_record not in ("fail", "skip"):
            raise InputError(
                f"`on_bad_record` must be fail or skip. Received: {self.on_bad_record}"
            )
        if self.crop_size < 64:
            raise InputError(f"`crop_size` must be at least 64 pixels. Received: {self.crop_size}")
        if self.patch_size is not None and self.patch_size < 32:
            raise InputError(
                f"`patch_size` must be native or at least 32 pixels. Received: {self.patch_size}"
            )


@dataclasses.dataclass(frozen=True)
class Item:
    """One image to be recorded, with its product and the word pieces of its text."""

    product: Product
    image: ProductImage
    text: str
    token_ids: list[int]


def product_text(product: Product, field: str) -> str:
    """The text that is paired with the photos of a product."""
    if field == "title_and_description":
        return ". ".join(part for part in (product.title.rstrip("."), product.description) if part)
    return getattr(product, field)

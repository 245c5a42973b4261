"""How records are made, whatever they hold of a photo, and the text that is paired with a product's
photos.
"""

import dataclasses

from data_prep.catalogue.products import Product, ProductImage
from data_prep.foreground.product_crops import METHODS, check_choice
from kaleido_tf.settings import check_settings, setting
from kaleido_tf.text import DEFAULT_VOCABULARY

TEXT_FIELDS = ("description", "title", "title_and_description")


def foreground_setting(default: str) -> dataclasses.Field:
    """How the product is found, which not all records do in the same way if nothing is said."""
    text = (
        "How the product is found: none keeps the whole photo, dithered is MVLT's crop, unet is a"
        " trained network, onnx one in an ONNX file, masks are PNGs made elsewhere."
    )
    return setting(default, "foreground", text, choices=METHODS)


@dataclasses.dataclass(frozen=True)
class RecordSettings:
    """What the records of all layouts share; each as its flag says.

    Raises: InputError for a value out of range, and a foreground without what it needs.
    """

    foreground: str = foreground_setting("border")
    foreground_weights: str = setting(
        "",
        "foreground_weights",
        "With unet: file that data_prep.train_saliency wrote; with onnx: the ONNX file.",
    )
    foreground_preprocessing: str = setting(
        "",
        "foreground_preprocessing",
        "With --foreground=onnx: JSON file of what the graph does not say"
        " (docs/image_networks.md).",
    )
    foreground_masks: str = setting(
        "",
        "foreground_masks",
        "Folder of masks, <image_id>.png or <product_id>.png (above 127 is product). A folder or"
        " weights without --foreground stand for masks, onnx (weights in a file *.onnx) or unet.",
    )
    text_field: str = setting(
        "description", "text_field", "Which text is paired with the photos.", choices=TEXT_FIELDS
    )
    vocabulary: str = setting(
        str(DEFAULT_VOCABULARY), "vocab", "WordPiece vocabulary, one token a line."
    )
    records_per_shard: int = setting(256, "records_per_shard", "Photos a shard.", lowest=1)
    share_photos: bool = setting(
        False,
        "share_photos",
        "Stores a photo that several products show once: products that name the same file stand in"
        " one shard, one after the other. Other programs than this project's must know how to read"
        " such records (docs/records.md).",
    )
    on_bad_record: str = setting(
        "fail",
        "on_bad_record",
        "What an unusable photo, text, line or row of the catalogue does: fail stops at the first,"
        " skip leaves it out and lists it.",
        choices=("fail", "skip"),
    )
    max_bad_fraction: float = setting(
        0.01,
        "max_bad_fraction",
        "With skip: fail above this share of bad images, and of unusable lines or rows.",
        lowest=0.0,
        largest=1.0,
    )

    def __post_init__(self):
        check_settings(self)
        check_choice(
            self.foreground,
            self.foreground_weights,
            self.foreground_masks,
            self.foreground_preprocessing,
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

"""How records are made: their settings, and the text that is paired with a product's photos."""

import dataclasses

from data_prep.catalogue.products import Product, ProductImage
from data_prep.features.backbones import check_backbone_choice
from data_prep.foreground.product_crops import METHODS, check_choice
from kaleido_tf.errors import InputError
from kaleido_tf.records.record import KALEIDO
from kaleido_tf.records.views import PLAIN, VIEWS, checked_views
from kaleido_tf.settings import check_settings, setting
from kaleido_tf.text import DEFAULT_VOCABULARY

TEXT_FIELDS = ("description", "title", "title_and_description")


@dataclasses.dataclass(frozen=True)
class RecordSettings:
    """How records are made.

    layout: a name of `record.LAYOUTS`. patch_size: pixels a side that patches are resized to (224
      as the original); None: patches keep their own size. The others: as their flags say.
    Raises: InputError for a value out of range, and a foreground without what it needs.
    """

    layout: str = KALEIDO.name
    backbone: str = setting(
        "resnet50",
        "backbone",
        "resnet50, squeezenet, any model of tf_keras.applications, or onnx: any image network in an"
        " ONNX file.",
    )
    backbone_weights: str = setting(
        "imagenet",
        "backbone_weights",
        "imagenet, random, or the path of a Keras HDF5 file; with onnx that of the ONNX file.",
    )
    backbone_preprocessing: str = setting(
        "",
        "backbone_preprocessing",
        "With --backbone=onnx: JSON file of what the graph does not say: channel_order,"
        " value_range, mean, std, sizes, outputs (docs/image_networks.md).",
    )
    patch_size: int | None = None
    crop_size: int = setting(
        256,  # the photo size of Fashion-Gen
        "crop_size",
        "Long side in pixels of the crop that is cut into patches.",
        lowest=64,
    )
    foreground: str = setting(
        "border",
        "foreground",
        "How the product is found: none keeps the whole photo, unet is a trained network, onnx one"
        " in an ONNX file, masks are PNGs made elsewhere.",
        choices=METHODS,
    )
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
    views: tuple[str, ...] = setting(
        (VIEWS[PLAIN],),
        "views",
        "Views of each photo, a record each: plain, and mirrored for its working crop with left and"
        " right exchanged (docs/records.md).",
    )
    text_field: str = setting(
        "description", "text_field", "Which text is paired with the photos.", choices=TEXT_FIELDS
    )
    vocabulary: str = setting(
        str(DEFAULT_VOCABULARY), "vocab", "WordPiece vocabulary, one token a line."
    )
    records_per_shard: int = setting(256, "records_per_shard", "Photos a shard.", lowest=1)
    images_per_batch: int = setting(
        16, "images_per_batch", "Images through the backbone at once.", lowest=1
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
        object.__setattr__(self, "views", checked_views(self.views))
        check_backbone_choice(self.backbone, self.backbone_weights, self.backbone_preprocessing)
        check_choice(
            self.foreground,
            self.foreground_weights,
            self.foreground_masks,
            self.foreground_preprocessing,
        )
        if self.patch_size is not None and self.patch_size < 32:
            raise InputError(
                f"--patch_size must be native or at least 32 pixels. Received: {self.patch_size}"
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

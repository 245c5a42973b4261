"""The flags that `write_kaleido_records` and `write_fashion_bert_records` share, and the run that
they describe.
"""

from absl import flags

from data_prep.catalogue.duplicates import duplicates_across_splits, in_words
from data_prep.catalogue.products import image_owners
from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.foreground.product_crops import METHODS, build_crops
from data_prep.record_writing.product_records import check_catalogue, write_records
from data_prep.record_writing.record_settings import TEXT_FIELDS, RecordSettings
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.text import DEFAULT_VOCABULARY


def define_record_flags(foreground: str) -> None:
    """Defines them; the command adopts them as its own (`flags.adopt_module_key_flags`), for
    --help. `foreground`: its default.
    """
    default = RecordSettings()
    flags.DEFINE_string(
        "catalogue",
        None,
        "products.jsonl or its folder, Fashion-Gen HDF5 file(s), or tfds:NAME.",
        required=True,
    )
    flags.DEFINE_string(
        "output_dir", None, "Each split gets a folder of shards in here.", required=True
    )
    flags.DEFINE_string("split", None, "Split to write; default: every split of the catalogue.")
    flags.DEFINE_string(
        "backbone", default.backbone, "resnet50, squeezenet or any model of tf_keras.applications."
    )
    flags.DEFINE_string(
        "backbone_weights",
        default.backbone_weights,
        "imagenet, random, or the path of a Keras HDF5 file.",
    )
    flags.DEFINE_string(
        "patch_size",
        "native",
        "native: patches at their own size; a number (the original: 224): resized to it.",
    )
    flags.DEFINE_integer(
        "crop_size", default.crop_size, "Long side in pixels of the crop that is cut into patches."
    )
    flags.DEFINE_enum(
        "foreground",
        foreground,
        METHODS,
        "How the product is found: none keeps the whole photo, unet is a trained "
        "network, masks are PNGs made elsewhere.",
    )
    flags.DEFINE_string(
        "foreground_weights",
        default.foreground_weights,
        "With unet: file that data_prep.train_saliency wrote.",
    )
    flags.DEFINE_string(
        "foreground_masks",
        default.foreground_masks,
        "Folder of masks, <image_id>.png or <product_id>.png (above 127 "
        "is product). A folder or weights without --foreground stand for masks or unet.",
    )
    flags.DEFINE_enum(
        "text_field", default.text_field, TEXT_FIELDS, "Which text is paired with the photos."
    )
    flags.DEFINE_bool(
        "keep_markup",
        False,
        "Keep entities and tags of HTML (&amp;, <br>) in the catalogue's texts; else they become"
        " plain text.",
    )
    flags.DEFINE_string("vocab", str(DEFAULT_VOCABULARY), "WordPiece vocabulary, one token a line.")
    flags.DEFINE_integer(
        "records_per_shard", default.records_per_shard, "Images a shard.", lower_bound=1
    )
    flags.DEFINE_integer(
        "images_per_batch",
        default.images_per_batch,
        "Images through the backbone at once.",
        lower_bound=1,
    )
    flags.DEFINE_enum(
        "on_bad_record",
        default.on_bad_record,
        ["fail", "skip"],
        "What an unusable photo, text, line or row of the catalogue does.",
    )
    flags.DEFINE_float(
        "max_bad_fraction",
        default.max_bad_fraction,
        "With skip: fail above this share of bad images, and of unusable lines or rows.",
    )


def write_catalogue_records(layout: str) -> None:
    """Writes the records of every split that the flags ask for, in a layout of `record.LAYOUTS`."""
    values = flags.FLAGS
    if values.patch_size != "native" and not values.patch_size.isdigit():
        raise InputError(
            f"--patch_size must be native or a number of pixels. Received: {values.patch_size}"
        )
    settings = RecordSettings(
        layout=layout,
        backbone=values.backbone,
        backbone_weights=values.backbone_weights,
        patch_size=None if values.patch_size == "native" else int(values.patch_size),
        crop_size=values.crop_size,
        foreground=_foreground(values),
        foreground_weights=values.foreground_weights,
        foreground_masks=values.foreground_masks,
        text_field=values.text_field,
        vocabulary=values.vocab,
        records_per_shard=values.records_per_shard,
        images_per_batch=values.images_per_batch,
        on_bad_record=values.on_bad_record,
        max_bad_fraction=values.max_bad_fraction,
    )
    check_writable(values.output_dir)  # before the work whose result is to lie there
    catalogue = read_catalogue(values.catalogue, values.on_bad_record == "skip", values.keep_markup)
    check_catalogue(catalogue, settings)
    note = in_words(duplicates_across_splits(catalogue.products))
    if note:
        print(f"note: {note}")
    splits = (
        [values.split]
        if values.split
        else sorted({product.split for product in catalogue.products})
    )
    for split in splits:
        catalogue.of_split(split)  # an unknown split is reported before the backbone is built
    crops = build_crops(
        settings.foreground,
        settings.foreground_weights,
        settings.foreground_masks,
        image_owners(catalogue),
    )
    backbone = build_backbone(settings.backbone, settings.backbone_weights)
    for split in splits:
        dataset = write_records(catalogue, split, values.output_dir, settings, backbone, crops)
        print(
            f"{values.output_dir}/{split}: {dataset['records']} records of {dataset['products']}"
            f" products in {len(dataset['shards'])} shards, {dataset['feature_size']} floats a"
            f" patch, {dataset['crops_kept_whole']} photos kept whole, {len(dataset['skipped'])}"
            " skipped"
        )
        for reason, count in dataset["reasons_for_whole"].items():
            print(f"  kept whole: {count} photos, since {reason}")


def _foreground(values: flags.FlagValues) -> str:
    """The method; a folder of masks, or weights, stand for theirs where the user named none."""
    if values["foreground"].using_default_value:
        if values.foreground_masks and not values.foreground_weights:
            return "masks"
        if values.foreground_weights and not values.foreground_masks:
            return "unet"
    return values.foreground

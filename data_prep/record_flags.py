"""The flags that `write_kaleido_records` and `write_fashion_bert_records` share, and the run that
they describe.
"""

from absl import flags

from data_prep.catalogue.duplicates import duplicates_across_splits, in_words
from data_prep.catalogue.products import image_owners
from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.foreground.product_crops import build_crops
from data_prep.record_writing.product_records import check_catalogue, write_records
from data_prep.record_writing.record_settings import RecordSettings
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import check_writable

NATIVE = "native"


def define_record_flags(foreground: str) -> None:
    """Defines them; the command adopts them as its own (`flags.adopt_module_key_flags`), for
    --help. `foreground`: its default.
    """
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
        "patch_size",
        NATIVE,
        "native: patches at their own size; a number (the original: 224): resized to it.",
    )
    flags.DEFINE_bool(
        "keep_markup",
        False,
        "Keep entities and tags of HTML (&amp;, <br>) in the catalogue's texts; else they become"
        " plain text.",
    )
    define_setting_flags(RecordSettings, foreground=foreground)


def write_catalogue_records(layout: str) -> None:
    """Writes the records of every split that the flags ask for, in a layout of `record.LAYOUTS`."""
    values = flags.FLAGS
    settings = read_settings(
        RecordSettings,
        layout=layout,
        patch_size=_patch_size(values.patch_size),
        foreground=_foreground(values),
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
    backbone = build_backbone(
        settings.backbone, settings.backbone_weights, preprocessing=settings.backbone_preprocessing
    )
    crops = build_crops(
        settings.foreground,
        settings.foreground_weights,
        settings.foreground_masks,
        image_owners(catalogue),
        settings.foreground_preprocessing,
    )
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


def _patch_size(value: str) -> int | None:
    if value != NATIVE and not value.isdecimal():
        raise InputError(f"--patch_size must be {NATIVE} or a number of pixels. Received: {value}")
    return None if value == NATIVE else int(value)


def _foreground(values: flags.FlagValues) -> str:
    """The method; a folder of masks, or weights, stand for theirs where the user named none."""
    if values["foreground"].using_default_value:
        if values.foreground_masks and not values.foreground_weights:
            return "masks"
        if values.foreground_weights and not values.foreground_masks:
            return "onnx" if values.foreground_weights.endswith(".onnx") else "unet"
    return values.foreground

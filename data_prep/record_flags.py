"""The flags that all commands share which write records, and the run that they describe."""

from collections.abc import Callable

from absl import flags

from data_prep.catalogue.duplicates import duplicates_across_splits, in_words
from data_prep.catalogue.reading import FORMS, read_catalogue
from data_prep.record_writing.photo_content import PhotoContent
from data_prep.record_writing.product_records import check_catalogue, write_records
from data_prep.record_writing.record_settings import RecordSettings
from data_prep.record_writing.runners import RUNNERS, build_runner
from data_prep.record_writing.split_shards import build_product_crops
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.files.whole_files import check_writable


def define_record_flags(settings: type[RecordSettings], **defaults) -> None:
    """Defines them, and those of the command's own settings; the command adopts them as its own
    (`flags.adopt_module_key_flags`), for --help. `defaults`: of fields of `settings`, where the
    command's are others.
    """
    flags.DEFINE_string("catalogue", None, FORMS, required=True)
    flags.DEFINE_string(
        "output_dir", None, "Each split gets a folder of shards in here.", required=True
    )
    flags.DEFINE_string("split", None, "Split to write; default: every split of the catalogue.")
    flags.DEFINE_bool(
        "keep_markup",
        False,
        "Keep entities and tags of HTML (&amp;, <br>) in the catalogue's texts; else they become"
        " plain text.",
    )
    flags.DEFINE_enum(
        "runner",
        RUNNERS[0],
        list(RUNNERS),
        "Who writes the shards, bit for bit the same: local is this process; beam the workers of"
        " Apache Beam.",
    )
    flags.DEFINE_list(
        "beam_options",
        [],
        "With --runner=beam: options of Apache Beam, --name=value, separated by commas"
        " (docs/records.md).",
    )
    define_setting_flags(settings, **defaults)


def read_record_settings(settings: type[RecordSettings], **fixed) -> RecordSettings:
    """The settings that the flags say; `fixed`: fields that they do not. Raises: InputError for
    values out of range.
    """
    return read_settings(settings, foreground=_foreground(flags.FLAGS), **fixed)


def write_catalogue_records(
    settings: RecordSettings, content_of: Callable[[RecordSettings], PhotoContent]
) -> None:
    """Writes the records of every split that the flags ask for.

    Args: content_of: makes what the records hold of photos, once the catalogue has been read.
    """
    values = flags.FLAGS
    runner = build_runner(values.runner, [option for option in values.beam_options if option])
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
        catalogue.of_split(split)  # an unknown split is reported before a network is built
    content = content_of(settings)
    crops = build_product_crops(settings, catalogue)
    for split in splits:
        dataset = write_records(catalogue, split, values.output_dir, content, crops, runner)
        print(
            f"{values.output_dir}/{split}: {dataset['records']} records of {dataset['products']}"
            f" products in {len(dataset['shards'])} shards, {content.size_in_words},"
            f" {dataset['crops_kept_whole']} photos kept whole, {len(dataset['skipped'])} skipped"
        )
        for reason, count in dataset["reasons_for_whole"].items():
            print(f"  kept whole: {count} photos, since {reason}")


def _foreground(values: flags.FlagValues) -> str:
    """The method; a folder of masks, or weights, stand for theirs where the user named none."""
    if values["foreground"].using_default_value:
        if values.foreground_masks and not values.foreground_weights:
            return "masks"
        if values.foreground_weights and not values.foreground_masks:
            return "onnx" if values.foreground_weights.endswith(".onnx") else "unet"
    return values.foreground

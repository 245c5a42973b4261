"""The flags that `write_kaleido_records` and `write_fashion_bert_records` share, and their run."""

from absl import flags

from data_prep.record_flags import (
    define_record_flags,
    read_record_settings,
    write_catalogue_records,
)
from data_prep.record_writing.patch_content import PatchContent, PatchSettings
from kaleido_tf.errors import InputError

NATIVE = "native"


def define_patch_flags(foreground: str) -> None:
    """Defines them. `foreground`: its default."""
    flags.DEFINE_string(
        "patch_size",
        NATIVE,
        "native: patches at their own size; a number (the original: 224): resized to it.",
    )
    define_record_flags(PatchSettings, foreground=foreground)


def write_patch_records(layout: str) -> None:
    """Writes the records of every split that the flags ask for, in a layout of `record.LAYOUTS`."""
    size = _patch_size(flags.FLAGS.patch_size)
    settings = read_record_settings(PatchSettings, layout=layout, patch_size=size)
    write_catalogue_records(settings, PatchContent)


def _patch_size(value: str) -> int | None:
    if value != NATIVE and not value.isdecimal():
        raise InputError(f"--patch_size must be {NATIVE} or a number of pixels. Received: {value}")
    return None if value == NATIVE else int(value)

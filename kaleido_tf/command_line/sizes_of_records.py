"""What of a new model its training records decide."""

import pathlib

from kaleido_tf.families import DEFAULT_TYPE, FAMILIES, Family
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.dataset_json import declared_by, layout_of
from kaleido_tf.text import DEFAULT_VOCABULARY


def family_of(content: dict) -> Family:
    """The family of a config; Kaleido-BERT's for an unknown one, which reading refuses."""
    name = content.get("model_type", DEFAULT_TYPE)
    return FAMILIES[name if isinstance(name, str) and name in FAMILIES else DEFAULT_TYPE]


def type_of_records(records: str | None) -> str:
    """The first family that reads the records' layout; the originals' for rows, and for a layout of
    none, which is said when the records are opened.
    """
    if not records:
        return DEFAULT_TYPE
    files = find_files(records)
    layout = layout_of(declared_by(files), files[0])
    reads = (name for name, family in FAMILIES.items() if layout in family.layouts)
    return next(reads, DEFAULT_TYPE)


def vocabulary_beside(records: str | None) -> pathlib.Path:
    """The `vocab.txt` of the records; the project's own where they have none."""
    beside = (
        pathlib.Path(find_files(records)[0]).parent / "vocab.txt" if records else DEFAULT_VOCABULARY
    )
    return beside if beside.is_file() else DEFAULT_VOCABULARY


def sizes_of_records(records: str, content: dict) -> dict:
    """What a config leaves open and the records decide."""
    family = family_of(content)
    if not family.layouts:
        return {}
    files = find_files(records)
    dataset = declared_by(files)
    layout = layout_of(dataset, files[0])
    size = dataset[layout.size_key]
    if layout not in family.layouts:  # said when the records are opened
        return {layout.size_key: size}
    return family.config.sizes_of_records(size, layout.num_patches)

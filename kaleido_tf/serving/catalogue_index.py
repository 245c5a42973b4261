"""The index of the photos of some records: vectors, where they come from, probabilities."""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping

from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import declared_by, read_dataset_json
from kaleido_tf.search.index_changes import store_calibration
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.index_writing import IndexSettings, write_index
from kaleido_tf.search.manifest import Manifest
from kaleido_tf.search.parquet_file import NAME, write_parquet
from kaleido_tf.serving.embedded_records import blocks_of_records
from kaleido_tf.serving.held_out import calibrations
from kaleido_tf.serving.index_source import NAME as SOURCE
from kaleido_tf.serving.index_source import IndexSource, read_source
from kaleido_tf.serving.photo_patches import NetworkFiles, PhotoPatches, how_photos_were_made


@dataclasses.dataclass(frozen=True)
class IndexInputs:
    """What an index is made from: `model`, a folder or checkpoint; `records`; `fields`, product id
    -> further fields of it; `held_out`, records that training has not seen, or None for an index
    without probabilities; `networks` for photos from outside; `dtype` of the vectors; `parquet`,
    whether a file for vector stores is written beside them.
    """

    model: str
    records: str
    fields: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    held_out: str | None = None
    networks: NetworkFiles = NetworkFiles()
    dtype: str = "float16"
    parquet: bool = True


def write_catalogue_index(inputs: IndexInputs, folder: pathlib.Path) -> None:
    """Writes an index, or goes on with one that was begun, and says what it holds.

    Raises: InputError for inputs that cannot be read or do not fit together; before anything is
      written where possible.
    """
    model = VectorModel(inputs.model)
    table = model.open_table(inputs.records)
    if inputs.fields and not set(inputs.fields) & set(table.product_ids):
        raise InputError(
            f"--fields: products of the records are needed. Received: none of {inputs.records}"
        )
    held_out = model.open_table(inputs.held_out) if inputs.held_out else None
    source = _source(inputs, table, folder)
    # Before the index: one that is there is finished.
    content, lines = calibrations(model, held_out) if held_out else (None, [])
    manifest = _write(folder, model, table, inputs)
    source.write(folder)
    if content:
        store_calibration(folder, content)
        print("\n".join(f"probabilities of {line}" for line in lines))
    if inputs.parquet:
        write_parquet(open_index(folder), folder / NAME)
    print(
        f"{folder}: {manifest.count} photos of {len(set(table.product_ids))} products, vectors of"
        f" {manifest.dimension} {manifest.dtype}"
        + (", corrected for hubs" if manifest.corrected_for_hubs else "")
    )


def _source(inputs: IndexInputs, table: RecordTable, folder: pathlib.Path) -> IndexSource:
    """Where the index comes from; networks that are named must be those of the records. Networks
    that an index which is there knows stay known.
    """
    made = how_photos_were_made(declared_by(list(table.files)))
    networks = inputs.networks
    if networks != NetworkFiles():
        PhotoPatches(made, networks, inputs.records)
    elif (folder / SOURCE).is_file():
        networks = read_source(folder).networks
    model, records = map(os.path.abspath, (inputs.model, inputs.records))
    return IndexSource(model, (records,), made, networks)


def _write(folder: pathlib.Path, model: VectorModel, table: RecordTable, inputs) -> Manifest:
    corrected = model.vectors.corrects_hubs
    settings = IndexSettings(model.digest, model.dimension, inputs.dtype, corrected)
    blocks = blocks_of_records(model, table, inputs.fields)
    return write_index(folder, blocks, settings, _digest(table, inputs.fields))


def _digest(table: RecordTable, fields: Mapping[str, Mapping]) -> str:
    """Of all that decides the index beside the model: which records, what their folders say of them
    (features, names of classes), and the further fields.
    """
    folders = sorted({os.path.dirname(file) or "." for file in table.files})
    said = [{**read_dataset_json(folder), "alignments": None} for folder in folders]
    parts = [table.image_ids.tolist(), table.product_ids.tolist(), said, sorted(fields.items())]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

"""A trained model as files that others load: a SavedModel, or ONNX."""

import pathlib
from collections.abc import Callable

from absl import flags

from kaleido_tf.command_line.session import Session, begin_use
from kaleido_tf.command_line.shared_flags import need
from kaleido_tf.command_line.vector_model import model_digest
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.vectors import check_vectors
from kaleido_tf.export.description import describe
from kaleido_tf.export.model_graph import ModelGraph
from kaleido_tf.export.onnx_files import check_onnx_there, write_onnx
from kaleido_tf.export.saved_model import write_saved_model
from kaleido_tf.export.signatures import (
    PhotoGraph,
    photo_signatures,
    prepared_signatures,
    text_signatures,
)
from kaleido_tf.export.text_graph import TextGraph
from kaleido_tf.families import FAMILIES, build_model, check_reads_patches
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.text_files import read_text
from kaleido_tf.files.whole_files import appears_whole, check_writable
from kaleido_tf.records.dataset_json import declared_by, layout_of
from kaleido_tf.training.strategy import set_precision

FLAGS = flags.FLAGS
FORMATS = ("saved_model", "onnx")
PHOTO_SETTINGS = (
    "layout",
    "backbone",
    "backbone_digest",
    "patch_size",
    "crop_size",
    "foreground",
    "foreground_digest",
    "vocabulary_digest",
)
"""What an export says of its photos, as the records' `dataset.json` does."""

OpenPhotos = Callable[[dict, str], PhotoGraph]
"""(a `dataset.json`, where it lies) -> what turns photos into what these records hold."""


def export(form: str, records: str | None, open_photos: OpenPhotos) -> None:
    """Writes the model of --predict_checkpoint_path into --output_dir.

    Args: form: of `FORMATS`. records: whose photos the model is to take as they come; None: it is
      asked by patch features alone.
    Raises: InputError before anything is written.
    """
    need("output_dir")
    if FLAGS.input_schema:
        raise InputError("--mode=export takes no rows. Received: --input_schema")
    output = pathlib.Path(FLAGS.output_dir)
    _check_empty(output)
    if form == "onnx":
        check_onnx_there()
    session = begin_use("matching")
    if session.run.device.precision != "float32":
        raise InputError(
            "--mode=export writes float32: --precision must be float32. Received:"
            f" {session.run.device.precision}"
        )
    photos, about = None, {}
    if form == "saved_model" and records:
        dataset = _dataset_of(records, session)
        photos = open_photos(dataset, records)
        about = {key: dataset[key] for key in PHOTO_SETTINGS if key in dataset}
    model = _load(session)
    about = {
        "model_type": session.config.model_type,
        "model_digest": model_digest(model, session.vocabulary),
        "text_length": session.text_length,
        "vector_size": model.vector_size,
        "photos": about or None,
    }
    _write(form, output, session, ModelGraph(model, session.vocabulary.pad_id), photos, about)
    _say(form, output, records, photos)


def _check_empty(output: pathlib.Path) -> None:
    if output.is_dir() and any(output.iterdir()):
        raise InputError(
            f"--output_dir must be a new or an empty folder. Received: {output}, which holds"
            f" {sorted(file.name for file in output.iterdir())[0]}"
        )
    check_writable(output)


def _dataset_of(records: str, session: Session) -> dict:
    """The `dataset.json` of records, held against the model."""
    files = find_files(records)
    dataset = declared_by(files)
    layout, needed = layout_of(dataset, files[0]), FAMILIES[session.config.model_type].layout
    wanted = (needed(session.config).name, session.config.patch_feature_size)
    size = dataset[layout.size_key]
    if (layout.name, size) != wanted:
        raise InputError(
            f"--records: records of layout {wanted[0]} with {wanted[1]} floats a patch are needed,"
            f" as the model reads. Received: {layout.name} with {size}, {records}"
        )
    return dataset


def _load(session: Session):
    set_precision("float32")
    model = build_model(session.config, (), session.text_length)
    check_vectors(model)
    check_reads_patches(session.config, "Export")
    _ = model.matcher
    load_weights(model, session.source.start)
    return model


def _write(form, output, session, model: ModelGraph, photos, about: dict) -> None:
    signatures = prepared_signatures(model)
    with appears_whole(output) as partial:
        if form == "onnx":
            partial.mkdir()
            outputs, checked = write_onnx(partial, signatures, model.text_length, model.word_ids)
            about = {**about, "largest_differences": checked}
        else:
            texts = TextGraph(session.vocabulary, session.text_length)
            signatures |= text_signatures(model, texts)
            variables = [*model.variables, *texts.variables]
            if photos is not None:
                signatures |= photo_signatures(model, texts, photos)
                variables += photos.variables
            outputs = write_saved_model(partial, signatures, [texts.module], variables)
        pieces = read_text(session.vocabulary.path).encode()
        describe(partial, signatures, outputs, about, pieces)


def _say(form: str, output: pathlib.Path, records: str | None, photos) -> None:
    kind = "SavedModel" if form == "saved_model" else "set of ONNX files"
    print(f"{output}: a {kind}, described in signatures.json")
    if form == "onnx" and records:
        print(f"--records={records} is not used: ONNX files begin with patch features")
    elif form == "saved_model" and photos is None:
        print("without --records it takes patch features and no photos")

"""The one door through which every kind of catalogue comes in.

Whatever the source, texts are in memory and images are not: an image is a name and a function that
reads it.
"""

import glob
import os

from data_prep.catalogue.products import MANIFEST_NAME, Catalogue
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import literal_prefix, visible_files

_HDF5_ENDINGS = (".h5", ".hdf5")
_NEEDED = (
    f"a manifest (*.jsonl, or a folder with {MANIFEST_NAME}), Fashion-Gen files (*.h5 or *.hdf5:"
    " one, a glob, or several with commas), FashionViL's annotations (*_info.json: as these, or"
    " their folder), or tfds:NAME"
)
_ANNOTATIONS = "_info.json"
FORMS = (
    "products.jsonl or its folder, Fashion-Gen HDF5 file(s), FashionViL's *_info.json or their"
    " folder, or tfds:NAME."
)
"""What `--catalogue` of a command takes."""


def read_catalogue(
    source: str, skip_unusable: bool = False, keep_markup: bool = False
) -> Catalogue:
    """Reads the texts of a catalogue and where its images are.

    Args:
      source: a manifest or its folder; Fashion-Gen HDF5 files (one, a glob, or several with
        commas); FashionViL's annotations (as these, or their folder: annotated_products.py); or
        `tfds:NAME` (see data_prep/catalogue/tfds_catalogue.py for what NAME can be).
      skip_unusable: leaves out what is no product, whatever the source (a broken line or row, a
        blank text, an id or image that came before, a row of a product that came before in another
        split) and lists it in `Catalogue.unusable`, instead of raising.
      keep_markup: texts with the entities and tags of HTML that they have in the source; else they
        become plain text.
    Raises: InputError if it is none of these, or something in it is wrong. Images are checked when
      they are loaded.
    """
    # The readers need the types above, and TensorFlow Datasets is slow to import: so each is
    # imported when asked for.
    if source.startswith("tfds:"):
        from data_prep.catalogue import tfds_catalogue

        return tfds_catalogue.read_tfds(source, skip_unusable, keep_markup)
    files = _files(os.path.expanduser(source), source)
    if files[0].endswith(".jsonl"):
        from data_prep.catalogue import manifest

        return manifest.read_manifest(files[0], skip_unusable, keep_markup)
    if files[0].endswith(_HDF5_ENDINGS):
        from data_prep.catalogue import fashion_gen

        return fashion_gen.read_fashion_gen(files, source, skip_unusable, keep_markup)
    from data_prep.catalogue import annotated_products

    return annotated_products.read_annotated_products(files, source, skip_unusable, keep_markup)


def _files(path: str, source: str) -> list[str]:
    """The files of one kind that a source names. Raises: InputError if it names none."""
    if os.path.isdir(path):
        return _files_inside(path, source)
    if path.endswith(".jsonl"):
        return [path]
    if path.endswith(_HDF5_ENDINGS):
        return _paths(path, _HDF5_ENDINGS, "Fashion-Gen files (*.h5 or *.hdf5)")
    if path.endswith(_ANNOTATIONS):
        return _paths(path, (_ANNOTATIONS,), f"annotations (*{_ANNOTATIONS})")
    raise InputError(f"Needed: {_NEEDED}. Received: something else. Where: {source!r}.")


def _files_inside(folder: str, source: str) -> list[str]:
    """The manifest of a folder, or its files of annotations."""
    manifest = os.path.join(folder, MANIFEST_NAME)
    files = [manifest] if os.path.isfile(manifest) else visible_files(folder, _ANNOTATIONS)
    if not files:
        raise InputError(
            f"Needed: {_NEEDED}. Received: a folder without {MANIFEST_NAME}. Where: {source}."
        )
    return files


def _paths(source: str, endings: tuple[str, ...], kind: str) -> list[str]:
    """Spells out globs and commas; each file once. Raises: InputError for a part that names no file
    with one of the endings.
    """
    parts = [source] if os.path.isfile(source) else [part.strip() for part in source.split(",")]
    paths = []
    for part in parts:
        pattern = literal_prefix(os.path.expanduser(part))
        paths_of_part = [part] if os.path.isfile(part) else sorted(glob.glob(pattern))
        if not paths_of_part or not all(path.endswith(endings) for path in paths_of_part):
            came = f"{paths_of_part} for" if paths_of_part else "no file for"
            raise InputError(f"Needed: {kind}. Received: {came} {part!r}. Where: {source}.")
        paths += paths_of_part
    return list(dict.fromkeys(paths))

"""The one door through which every kind of catalogue comes in.

Whatever the source, texts are in memory and images are not: an image is a name and a function that
reads it.
"""

import glob
import os

from data_prep.catalogue.products import MANIFEST_NAME, Catalogue
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import literal_prefix

_HDF5_ENDINGS = (".h5", ".hdf5")
_NEEDED = (
    f"a manifest (*.jsonl, or a folder with {MANIFEST_NAME}), Fashion-Gen files (*.h5 or *.hdf5:"
    " one, a glob, or several with commas), or tfds:NAME"
)


def read_catalogue(
    source: str, skip_unusable: bool = False, keep_markup: bool = False
) -> Catalogue:
    """Reads the texts of a catalogue and where its images are.

    Args:
      source: a manifest or its folder; Fashion-Gen HDF5 files (one, a glob, or several with
        commas); or `tfds:NAME` (see data_prep/catalogue/tfds_catalogue.py for what NAME can be).
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
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        path = os.path.join(path, MANIFEST_NAME)
        if not os.path.isfile(path):
            raise InputError(
                f"Needed: {_NEEDED}. Received: a folder without {MANIFEST_NAME}. Where: {source}."
            )
    if path.endswith(".jsonl"):
        from data_prep.catalogue import manifest

        return manifest.read_manifest(path, skip_unusable, keep_markup)
    if path.endswith(_HDF5_ENDINGS):
        from data_prep.catalogue import fashion_gen

        return fashion_gen.read_fashion_gen(_hdf5_paths(path), source, skip_unusable, keep_markup)
    raise InputError(f"Needed: {_NEEDED}. Received: something else. Where: {source!r}.")


def _hdf5_paths(source: str) -> list[str]:
    """Spells out globs and commas; each file once. Raises: InputError for a part that names no HDF5
    file.
    """
    parts = [source] if os.path.isfile(source) else [part.strip() for part in source.split(",")]
    paths = []
    for part in parts:
        pattern = literal_prefix(os.path.expanduser(part))
        paths_of_part = [part] if os.path.isfile(part) else sorted(glob.glob(pattern))
        if not paths_of_part or not all(path.endswith(_HDF5_ENDINGS) for path in paths_of_part):
            came = f"{paths_of_part} for" if paths_of_part else "no file for"
            raise InputError(
                f"Needed: Fashion-Gen files (*.h5 or *.hdf5). Received: {came} {part!r}. Where:"
                f" {source}."
            )
        paths += paths_of_part
    return list(dict.fromkeys(paths))

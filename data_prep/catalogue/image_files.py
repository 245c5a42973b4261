"""Photos of a catalogue that are files of their own."""

import functools
import os
import pathlib

from data_prep.catalogue.products import ProductImage
from kaleido_tf.errors import InputError
from kaleido_tf.files.file_names import present_form
from kaleido_tf.files.images import check_image, read_image


def file_image(product_id: str, number: int, path: str, where: str) -> ProductImage:
    """The photo `number` (from 1) of a product. Args: where: the product is described."""
    owner = f"product {product_id}, {where}"
    return ProductImage(
        f"{product_id}_{number}",
        path,
        functools.partial(read_image, path, owner),
        functools.partial(check_image, path, owner),
        pathlib.Path(path).read_bytes,
        path,
    )


def path_inside(folder: str, name: str, where: str) -> str:
    """The path of an image, in the Unicode form that it has on the disk. Links are not followed: a
    linked image folder inside the catalogue is fine.

    Raises: InputError for a blank `name`, or a relative one that climbs out of `folder`.
    """
    if not name.strip() or "\0" in name:
        raise InputError(f"Needed: a path to an image. Received: {name!r}. Where: {where}.")
    if os.path.isabs(name):
        return present_form(name)
    if os.path.normpath(name).split(os.sep)[0] == os.pardir:
        raise InputError(
            "Needed: an image path inside the catalogue's folder, or an absolute one. "
            f"Received: {name!r}. Where: {where}."
        )
    return present_form(os.path.join(folder, name))


def identity(name: str, path: str) -> str:
    """What an image counts by in the catalogue's digest: its name there and its file's size."""
    return f"{name} {_file_size(path)}"


def _file_size(path: str) -> str:
    try:
        return str(os.path.getsize(path))
    except OSError:
        return "missing"  # not an error yet: a run may use one split, whose images are all there

"""Digests of what a shard is made of."""

import dataclasses

import numpy as np
import pytest

from data_prep.catalogue.products import ProductImage
from data_prep.record_writing.shard_sources import photo_digest
from kaleido_tf.errors import InputError


def refuse():
    raise InputError("cannot be read")


def test_photos_that_are_files_count_by_their_bytes(tmp_path):
    (tmp_path / "a.png").write_bytes(b"abc")
    image = ProductImage("1_1", str(tmp_path / "a.png"), refuse)
    digest = photo_digest(image)
    (tmp_path / "b.png").write_bytes(b"abc")
    assert photo_digest(dataclasses.replace(image, where=str(tmp_path / "b.png"))) == digest
    (tmp_path / "a.png").write_bytes(b"abd")
    assert photo_digest(image) not in (digest, "unreadable")


@pytest.mark.parametrize("change", [lambda p: p + 1, lambda p: p.reshape(3, 2, 3)])
def test_other_photos_count_by_their_pixels(change):
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    first, second = (
        photo_digest(ProductImage("1_1", "x.h5 row 3", lambda p=p: p))
        for p in (pixels, change(pixels))
    )
    assert first != second and photo_digest(ProductImage("1_1", "x.h5 row 3", refuse)) not in (
        first,
        second,
    )

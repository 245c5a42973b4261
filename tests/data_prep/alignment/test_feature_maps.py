"""Maps of crops: their size, their place, and what is kept on disk."""

import numpy as np
import pytest

from data_prep.alignment.feature_maps import CropMaps, keep_maps, maps_of, pixels_for
from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.record_writing.patch_content import PatchContent
from data_prep.record_writing.product_records import write_records
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.shards import read_shards
from tests.drawn_catalogue import SETTINGS, write_catalogue


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("squeezenet", "random")


def test_pooled_map_is_the_feature(backbone):
    images = np.random.default_rng(1).integers(0, 256, [2, 70, 90, 3], np.uint8)
    maps = backbone.feature_map(images).numpy()
    assert maps.shape == (2, 3, 4, 512)
    np.testing.assert_allclose(
        maps.mean(axis=(1, 2)), backbone.extract(images), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("cells, pixels", [(3, 64), (7, 128), (14, 240)])
def test_side_in_pixels(backbone, cells, pixels):
    assert pixels_for(backbone, cells) == pixels


def test_side_that_no_square_gives(backbone):
    with pytest.raises(
        InputError,
        match=(
            "A map of 99 x 99 cells was asked for. No square of up to 1024 pixels gives"
            " squeezenet one"
        ),
    ):
        pixels_for(backbone, 99)


def test_bright_corner_is_in_its_corner(backbone):
    crop = np.zeros([300, 90, 3], np.uint8)
    crop[225:, 60:] = np.random.default_rng(1).integers(0, 256, [75, 30, 3])
    below, above, black = maps_of(
        [crop, crop[::-1], np.zeros_like(crop)], backbone, pixels_for(backbone, 7)
    )
    for found, rows in ((below, slice(4, 7)), (above, slice(0, 3))):
        energy = np.abs(found - black).sum(axis=-1)
        assert energy[rows, 4:].sum() > 0.5 * energy.sum()  # 9 of 49 cells


def test_maps_are_kept_and_made_once(tmp_path, backbone, monkeypatch):
    dataset = write_records(
        read_catalogue(str(write_catalogue(tmp_path / "shop"))),
        "train",
        tmp_path / "records",
        PatchContent(SETTINGS, backbone),
    )
    shards = find_files(str(tmp_path / "records" / "train"))
    maps = CropMaps(RecordPhotos(dataset, "records/train"), backbone, 3)
    kept = keep_maps(shards, maps, tmp_path / "maps", "train")
    assert len(kept) == 7 and kept[[6, 0]].shape == (2, 3, 3, 512)
    np.testing.assert_allclose(
        kept[np.arange(7)], maps.of(read_shards(shards)), rtol=1e-3, atol=1e-3
    )
    (tmp_path / "maps" / f"{shards[1].rsplit('/')[-1].removesuffix('.tfrecord')}.npy").unlink()
    made = []
    monkeypatch.setattr(
        CropMaps,
        "of",
        lambda self, examples: (
            made.append(len(examples)) or np.zeros([len(examples), 3, 3, 512], np.float32)
        ),
    )
    assert not keep_maps(shards, maps, tmp_path / "maps", "train")[[3, 4, 5]].any() and made == [3]

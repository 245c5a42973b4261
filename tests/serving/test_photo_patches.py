import numpy as np
import pytest

from data_prep.catalogue.reading import read_catalogue
from data_prep.features.backbones import build_backbone
from data_prep.record_writing.patch_content import PatchContent, PatchSettings
from data_prep.record_writing.product_records import write_records
from kaleido_tf.errors import InputError
from kaleido_tf.records.shards import read_shard
from kaleido_tf.serving.photo_patches import NetworkFiles, PhotoPatches, how_photos_were_made
from tests import drawn_catalogue

RANDOM = NetworkFiles(backbone_weights="random")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A catalogue's photos, the records made of them in two views, and what these say."""
    folder = tmp_path_factory.mktemp("made")
    catalogue = read_catalogue(str(drawn_catalogue.write_catalogue(folder / "shop")))
    settings = PatchSettings(
        backbone="squeezenet",
        backbone_weights="random",
        crop_size=64,
        patch_size=32,
        views=("plain", "mirrored"),
        records_per_shard=20,
    )
    dataset = write_records(catalogue, "train", folder, PatchContent(settings))
    (shard,) = (folder / "train").glob("*.tfrecord")
    return catalogue.of_split("train"), read_shard(str(shard)), dataset


def test_a_photo_gives_what_its_record_holds(made):
    products, records, dataset = made
    patches = PhotoPatches(how_photos_were_made(dataset), RANDOM, "records")
    image = products[0].images[0]
    features, boxes = patches.of(image.load())
    own = [record for record in records if record.image_id == image.image_id]
    assert len(own) == len(features) == 2
    for record in own:
        block = record.block("patch_features")
        # How a sum is rounded depends on how many patches go through the network at once.
        np.testing.assert_allclose(features[record.view], block, atol=2e-3)
        np.testing.assert_array_equal(boxes[record.view], record.boxes)


def test_other_networks_than_the_records_are_refused(made):
    dataset = how_photos_were_made(made[2])
    with pytest.raises(InputError, match="holds features of squeezenet with weights"):
        PhotoPatches({**dataset, "backbone_digest": "0" * 64}, RANDOM, "records")
    with pytest.raises(InputError, match="--backbone=squeezenet needs --backbone_weights"):
        PhotoPatches(dataset, NetworkFiles(), "records")
    with pytest.raises(InputError, match="cropped by masks that were made elsewhere"):
        PhotoPatches({**dataset, "foreground": "masks"}, RANDOM, "records")
    assert build_backbone("squeezenet", "random").digest == dataset["backbone_digest"]

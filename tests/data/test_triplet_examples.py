"""Triplets to batches: each photo and text in its place, drawn anew every epoch, gone on with."""

import numpy as np
import pytest

from kaleido_tf.data.named_photos import NamedPhotos
from kaleido_tf.data.record_table import open_records
from kaleido_tf.data.triplet_config import TripletConfig
from kaleido_tf.data.triplet_examples import TripletExamples
from kaleido_tf.data.triplets import open_triplets
from kaleido_tf.errors import InputError
from kaleido_tf.records.record import PIXELS
from kaleido_tf.text import Vocabulary
from tests import annotation_files, pixel_records, small_triplets
from tests.batch_parts import assert_all_parts_are_the_whole

VOCABULARY = Vocabulary()
LENGTH = 5
STILL = TripletConfig(smallest_cut=1.0, mirror_probability=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_triplets.write(tmp_path_factory.mktemp("triplets"))


@pytest.fixture(scope="module")
def table(folder):
    return open_records(str(folder / "photos"), PIXELS, pixel_records.SIDE, VOCABULARY, 9)


def photos_of(table, triplets):
    names = [name for t in triplets for name in (t.reference, t.target)]
    return NamedPhotos(table, names, "photos")


def examples(folder, table, split="train", settings=STILL, seed=4, side=pixel_records.SIDE):
    triplets = open_triplets(str(folder / "triplets.jsonl"), split)
    photos = photos_of(table, triplets)
    return TripletExamples(triplets, photos, VOCABULARY, LENGTH, side, settings, seed)


def shown(dataset, batches=99):
    parts = list(dataset.take(batches).as_numpy_iterator())
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def is_photo(pixels, number):
    every = np.stack([pixel_records.pixels_of(n) for n in range(small_triplets.COUNT)])
    return np.abs(pixels.astype(int) - every).mean((1, 2, 3)).argmin() == number


def test_evaluation_is_one_pass_over_what_asks(folder, table):
    given = examples(folder, table, "valid")
    batch = shown(given.evaluation_batches(3))
    assert len(given) == len(batch["target_number"]) == 7
    for row, first in enumerate([0, 1, 2, 3, 6, 7, 8]):
        assert is_photo(batch["reference_photo"][row], first)
        assert is_photo(batch["target_photo"][row], (first + 3) % 12)
        text = VOCABULARY.text_of(batch["input_ids"][row])
        colour = list(pixel_records.COLOURS)[(first + 3) % 12 % 4]
        assert text == f"[CLS] is {colour} [SEP]" and batch["input_mask"][row].sum() == 4
    assert len(set(batch["target_number"].tolist())) == 7
    gallery = shown(given.photo_batches(5))["photo"]
    assert len(gallery) == len(given.photos) == small_triplets.COUNT
    numbers = given.photos.numbers
    assert is_photo(gallery[numbers["P011_1"]], 11) and is_photo(gallery[numbers["P004_1"]], 4)


def test_epochs_are_drawn_anew_and_gone_on_with(folder, table):
    given = examples(folder, table, settings=TripletConfig())
    whole = shown(given.training_batches(4), 6)
    first, second = whole["target_number"][:10], whole["target_number"][10:20]
    assert sorted(first) == sorted(second) == [0, *range(3, 12)] and list(first) != list(second)
    late = shown(given.training_batches(4, start=12), 3)
    for name, values in late.items():
        np.testing.assert_array_equal(values, whole[name][12:])
    both = [whole["reference_photo"][list(whole["target_number"]).index(3, n)] for n in (0, 10)]
    assert (both[0] != both[1]).any()  # another part of the same photo
    other = shown(examples(folder, table, seed=5).training_batches(4), 2)["target_number"]
    assert list(other) != list(first[:8])


def test_without_chance_photos_are_whole(folder, table):
    batch = shown(examples(folder, table).training_batches(5), 2)
    assert all(is_photo(*pair) for pair in zip(batch["target_photo"], batch["target_number"]))
    half = shown(examples(folder, table, side=32).training_batches(5), 1)["target_photo"]
    assert half.shape == (5, 32, 32, 3)
    assert half[0, 1, 1].tolist() == [255, 255, 255] and half[0, 15, 15].min() < 60


def test_what_a_run_is_told(folder, table):
    train, valid = (examples(folder, table, split) for split in ("train", "valid"))
    assert train.describe() == "10 triplets over 12 photos" and train.notes() == []
    assert valid.notes() == ["2 rows that ask nothing are not trained on"]
    assert train.digest == examples(folder, table, seed=9).digest != valid.digest
    triplets = open_triplets(str(folder / "triplets.jsonl"), "train")
    photos = photos_of(table, triplets)
    short = TripletExamples(triplets, photos, VOCABULARY, 4, 64, STILL, 1)
    assert "10 of 10 texts fill all 4 places" in short.notes()[0]
    with pytest.raises(InputError, match="images of patch features are needed. Received: photos"):
        train.sample_features(3)


def test_photos_by_the_name_of_their_product(table):
    photos = NamedPhotos(table, ["P003", "P001_1", "P003_1"], "photos")
    assert list(photos.image_ids) == ["P001_1", "P003_1"]
    assert photos.numbers_of(["P003", "P003_1", "P001_1"]).tolist() == [1, 1, 0]
    with pytest.raises(InputError, match=r"Not found in photos: P44 \(2 of 3\)"):
        NamedPhotos(table, ["P44", "P003", "P45"], "photos")


def test_a_product_of_several_photos_must_be_named_by_one(tmp_path):
    two = lambda number: {"product_id": f"P{number // 2}"}  # noqa: E731
    folder = pixel_records.write(tmp_path, 4, change=two)
    table = open_records(str(folder), PIXELS, pixel_records.SIDE, VOCABULARY, 9)
    with pytest.raises(InputError, match=r": P1, a product of 2 photos: name one .* \(1 of 2\)"):
        NamedPhotos(table, ["P1", "P000_1"], "photos")


def test_where_triplets_come_from(folder, tmp_path):
    release = annotation_files.write_all(tmp_path) / "FashionIQ"
    of_folder = open_triplets(str(release), "valid", whole_gallery=True)
    assert len(of_folder) == 6  # of `val`; there are no `image_splits`
    files = [str(release / "captions" / f"cap.{name}.val.json") for name in ("shirt", "dress")]
    assert open_triplets(",".join(files), "valid") == of_folder[:4]
    lines = str(folder / "triplets.jsonl")
    assert len(open_triplets(f"{files[0]},{lines}", "train")) == 12
    with pytest.raises(InputError, match="of the split 'test' are needed. Received: none"):
        open_triplets(lines, "test")
    nothing = small_triplets.write_rows(
        tmp_path / "nothing.jsonl", [small_triplets.asks_nothing("train", 1)]
    )
    with pytest.raises(InputError, match="that asks for something is needed. Received: 1 rows for"):
        open_triplets(nothing, "train")


def test_parts_are_the_whole(folder, table):
    given = examples(folder, table, settings=TripletConfig())
    assert_all_parts_are_the_whole(given, 9, count=3, start=9)  # of 10 the last batch has one

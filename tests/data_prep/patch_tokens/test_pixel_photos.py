"""Photos of records: which are held out, in which order they come, and what is refused."""

import json

import numpy as np
import pytest

from data_prep.patch_tokens.pixel_photos import PixelPhotos
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.records.photo import RAW, raw_photo
from tests import pixel_records, small_records

COUNT, SIDE = 23, 10


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Photo n is of the grey n."""
    folder = tmp_path_factory.mktemp("photos") / "records"
    return pixel_records.write(
        folder,
        COUNT,
        side=SIDE,
        change=lambda n: {
            "photo": pixel_records.as_jpeg(np.full([SIDE, SIDE, 3], 10 * n, np.uint8))
        },
    )


def numbers(batches):
    """Which photos they are."""
    return [round(float(photo.mean()) / 10) for batch in batches for photo in batch.numpy()]


def test_products_are_held_out_by_their_ids(records):
    photos = PixelPhotos(str(records), 0.3)
    assert photos.side == SIDE and sum(photos.counts.values()) == COUNT
    held_out = numbers(photos.valid_batches(SIDE, 4))
    learnt = numbers(photos.training_batches(SIDE, 4, seed=1, epoch=1))
    assert sorted(held_out + learnt) == list(range(COUNT))
    assert photos.counts == {"train": len(learnt), "valid": len(held_out)}
    more = numbers(PixelPhotos(str(records), 0.6).valid_batches(SIDE, 4))
    assert set(held_out) < set(more)


def test_order_depends_on_seed_and_epoch_alone(records):
    def order(seed, epoch):
        photos = PixelPhotos(str(records), 0.2)
        return numbers(photos.training_batches(SIDE, 5, seed, epoch))

    first = order(3, 1)
    assert first == order(3, 1) != sorted(first)
    assert order(3, 2) != first != order(4, 1)
    assert sorted(order(3, 2)) == sorted(first)


def test_photos_are_cut_and_mirrored_in_training_alone(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, [40, 12, 12, 3], np.uint8)
    records = pixel_records.write(
        tmp_path / "records", 40, 9, 12, RAW, lambda n: {"photo": raw_photo(noise[n])}
    )
    photos = PixelPhotos(str(records), 0.5)

    def views(batches):
        return {photo.tobytes() for batch in batches for photo in batch.numpy()}

    held_out = views(photos.valid_batches(8, 3))
    assert held_out < {photo.tobytes() for photo in noise[:, 2:10, 2:10]}
    cuts = {
        view.tobytes(): (mirrored, number)
        for number, photo in enumerate(noise)
        for top in range(5)
        for left in range(5)
        for mirrored, view in enumerate(
            (photo[top : top + 8, left : left + 8], photo[top : top + 8, left : left + 8][:, ::-1])
        )
    }
    learnt = [cuts[view] for view in views(photos.training_batches(8, 3, seed=0, epoch=1))]
    assert len({number for _, number in learnt}) == len(learnt) == photos.counts["train"]
    assert {mirrored for mirrored, _ in learnt} == {0, 1}


def test_same_records_have_the_same_digest(records, tmp_path):
    other = pixel_records.write(tmp_path / "other", COUNT, side=SIDE)
    digests = [PixelPhotos(str(folder), 0.3).digest for folder in (records, records, other)]
    assert digests[0] == digests[1] != digests[2]


def test_other_layouts_and_empty_folders_are_refused(tmp_path):
    small_records.write(tmp_path / "patches", 3)
    with pytest.raises(InputError, match="Records of pixels are needed .* the layout kaleido"):
        PixelPhotos(str(tmp_path / "patches"), 0.3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="A directory of record shards .* None in: .*empty"):
        PixelPhotos(str(tmp_path / "empty"), 0.3)


@pytest.mark.parametrize("holdout, purpose", [(1e-6, "hold out"), (0.999999, "learn from")])
def test_both_splits_need_a_photo(records, holdout, purpose):
    message = f"needed to {purpose}. .* --holdout of {holdout:g} gives none of its {COUNT}"
    with pytest.raises(InputError, match=message):
        PixelPhotos(str(records), holdout)


def test_damaged_records_are_named_before_any_training(tmp_path):
    def change(number):
        return {"photo": b"no photo"} if number == 7 else {}

    broken = pixel_records.write(tmp_path / "broken", 9, side=SIDE, change=change)
    with pytest.raises(InputError, match="records-00001-of-00002.tfrecord is damaged: record 2"):
        PixelPhotos(str(broken), 0.3)
    sizes = pixel_records.write(tmp_path / "sizes", 4, side=SIDE)
    dataset = json.loads((sizes / "dataset.json").read_text())
    write_json(sizes / "dataset.json", {**dataset, "image_size": 12})
    with pytest.raises(InputError, match="is damaged: record 0 cannot be read"):
        PixelPhotos(str(sizes), 0.3)
    write_json(sizes / "dataset.json", {**dataset, "shards": dict.fromkeys(dataset["shards"], 5)})
    with pytest.raises(InputError, match="5 records are needed .* Received: 4"):
        PixelPhotos(str(sizes), 0.3)

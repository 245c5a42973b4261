"""The drawn catalogue: the same seed gives the same bytes, texts tell photos apart, folders are
whole.
"""

import collections
import json

import numpy as np
import pytest
from PIL import Image

from data_prep.sample import sample_catalogue, sample_records
from data_prep.sample.garment_drawing import Sketch
from data_prep.sample.product_kinds import KINDS
from data_prep.sample.sample_catalogue import write_sample_catalogue
from kaleido_tf.errors import InputError

NUM_PRODUCTS = 10 * len(KINDS) + 3


def read_rows(manifest):
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


def all_bytes(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_sample_catalogue(
        tmp_path_factory.mktemp("sample") / "s", NUM_PRODUCTS, 0.3, seed=4
    )


@pytest.fixture(scope="module")
def rows(manifest):
    return read_rows(manifest)


def test_same_seed_same_bytes_other_seed_differs(tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for folder, seed in zip(folders, (7, 7, 8)):
        write_sample_catalogue(folder, 17, seed=seed)
    first, second, other = map(all_bytes, folders)
    assert first == second
    assert len(first) == 17 + 2
    assert all(other[name] != content for name, content in first.items())


def test_folders_above_it_are_made(tmp_path):
    assert write_sample_catalogue(tmp_path / "not" / "there" / "yet", 3, seed=7).is_file()


def test_a_product_does_not_depend_on_how_many_there_are(tmp_path):
    small, large = (
        write_sample_catalogue(tmp_path / str(count), count, seed=2) for count in (5, 18)
    )
    assert read_rows(small) == read_rows(large)[:5]
    for image in (small.parent / "images").iterdir():
        assert image.read_bytes() == (large.parent / "images" / image.name).read_bytes()


def test_counts(rows):
    counts = collections.Counter((row["subcategory"], row["split"]) for row in rows)
    assert len(rows) == NUM_PRODUCTS
    for index, kind in enumerate(KINDS):
        assert counts[kind.name, "valid"] == 3  # 30% of 10 or 11
        assert counts[kind.name, "train"] == (8 if index < 3 else 7)
    assert len({row["category"] for row in rows}) == 4


def test_a_truth_and_its_others_are_valid_in_the_embedded_default():
    """Whose run tests/end_to_end/test_sample.py makes with a third of its products."""
    valid = collections.Counter(
        i % len(KINDS)
        for i in range(sample_records.NUM_PRODUCTS)
        if sample_catalogue.split_of(i, 0.25) == "valid"
    )
    assert sample_records.NUM_PRODUCTS == 960 and sample_records.NUM_OTHERS == 14
    assert set(valid.values()) == {sample_records.NUM_OTHERS + 1} and len(valid) == len(KINDS)


def test_default_sizes_leave_eight_valid_products_a_subcategory():
    splits = collections.Counter(
        (i % len(KINDS), sample_catalogue.split_of(i, 0.25)) for i in range(480)
    )
    assert {splits[kind, "valid"] for kind in range(len(KINDS))} == {8}
    assert {splits[kind, "train"] for kind in range(len(KINDS))} == {22}


def test_texts(rows):
    descriptions = [row["description"] for row in rows]
    assert len(set(descriptions)) == len(descriptions)
    assert {len({row["product_id"] for row in rows}), len({row["image"] for row in rows})} == {
        NUM_PRODUCTS
    }
    for row in rows:
        assert 10 <= len(row["description"].split()) <= 27
        assert 2 <= len(row["title"].split()) <= 3
        assert row["title"].lower().startswith(row["colour"])
        assert row["title"].endswith(
            row["subcategory"] if row["subcategory"] == "T-shirt" else row["subcategory"].lower()
        )


def test_every_attribute_is_in_the_text(rows):
    for product, row in zip(sample_catalogue.draw_products(NUM_PRODUCTS, seed=4), rows):
        text, style = row["description"].lower(), product.style
        assert (style.colour, style.pattern) == (row["colour"], row["pattern"])
        assert style.colour in text and style.second in text
        assert style.pattern in text or sample_catalogue.PATTERNS[style.pattern] in text
        for attribute, option in product.look.items():
            assert any(
                wording.lower() in text for wording in product.kind.attributes[attribute][option]
            ), (row, attribute)


def test_no_two_products_of_a_subcategory_share_their_attributes():
    products = sample_catalogue.draw_products(900, seed=1)
    assert len({product.attributes for product in products}) == 900


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_option_changes_the_drawing(kind):
    """Else a text would tell what the photo does not show."""
    base = {attribute: list(options)[0] for attribute, options in kind.attributes.items()}
    for attribute, options in kind.attributes.items():
        drawings = []
        for option in options:
            sketch = Sketch()
            kind.draw(sketch, {**base, attribute: option})
            drawings.append(tuple((shape.paint, tuple(shape.points)) for shape in sketch.shapes))
        assert len(set(drawings)) == len(options), (kind.name, attribute)


def test_photos(manifest, rows):
    sizes = set()
    for row in rows:
        with Image.open(manifest.parent / row["image"]) as photo:
            sizes.add(photo.size)
            assert photo.format == "JPEG" and photo.mode == "RGB"
            assert 184 <= photo.width <= 200 and 248 <= photo.height <= 264
    assert len(sizes) > 50


def test_parts_are_inside_the_photo_and_named_in_the_text(manifest, rows):
    words = set()
    for row in rows:
        with Image.open(manifest.parent / row["image"]) as photo:
            width, height = photo.size
        for part in row["parts"]:
            x1, y1, x2, y2 = part["box"]
            assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
            assert part["word"] in row["description"].lower()
            words.add(part["word"])
        assert row["subcategory"].lower() in [part["word"] for part in row["parts"]]
    assert {
        "sleeves",
        "collar",
        "pocket",
        "belt",
        "buttons",
        "zip",
        "heel",
        "laces",
        "stripes",
    } <= words


def test_the_box_of_a_product_holds_what_differs_from_the_backdrop(manifest, rows):
    """Outside the box there is backdrop only: much more alike than what is inside."""
    for row in rows[::7]:
        pixels = np.asarray(Image.open(manifest.parent / row["image"]), float)
        x1, y1, x2, y2 = next(
            part["box"] for part in row["parts"] if part["word"] == row["subcategory"].lower()
        )
        inside = pixels[y1:y2, x1:x2].reshape(-1, 3).std(axis=0).max()
        outside = np.concatenate(
            [pixels[:, : max(1, x1 - 6)].reshape(-1, 3), pixels[:, x2 + 6 :].reshape(-1, 3)]
        )
        assert outside.std(axis=0).max() < inside, row


def test_finished_sample_is_kept(tmp_path):
    manifest = write_sample_catalogue(tmp_path / "s", 3)
    changed = manifest.stat().st_mtime_ns
    assert write_sample_catalogue(tmp_path / "s", 3) == manifest
    assert manifest.stat().st_mtime_ns == changed
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_stopped_run_leaves_nothing(tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(sample_catalogue, "split_of", stop)
    with pytest.raises(KeyboardInterrupt):
        write_sample_catalogue(tmp_path / "s", 3)
    assert not list(tmp_path.iterdir())


def test_empty_folder_is_used(tmp_path):
    assert write_sample_catalogue(tmp_path, 2).is_file()


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="holds other files"):
        write_sample_catalogue(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_other_sample_is_refused(tmp_path):
    write_sample_catalogue(tmp_path, 2, seed=1)
    with pytest.raises(
        InputError, match="holds another sample catalogue.*'seed': 2.*found.*'seed': 1"
    ):
        write_sample_catalogue(tmp_path, 2, seed=2)


@pytest.mark.parametrize(
    "numbers", [{"num_products": 0}, {"valid_fraction": 1.0}, {"valid_fraction": -0.1}]
)
def test_senseless_numbers(tmp_path, numbers):
    with pytest.raises(InputError, match="at least 1 product and a valid fraction"):
        write_sample_catalogue(tmp_path, **numbers)

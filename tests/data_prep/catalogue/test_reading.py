import hashlib
import json

import h5py
import numpy as np
import pytest

from data_prep.catalogue.products import (
    Catalogue,
    Product,
    ProductImage,
    make_product,
    one_line,
    products_digest,
)
from data_prep.catalogue.reading import read_catalogue
from kaleido_tf.errors import InputError


def image(image_id):
    return ProductImage(image_id, f"{image_id}.png", lambda: np.zeros((5, 7, 3), np.uint8))


def product(product_id, category="Tops", subcategory="Vest", split="train", images=1):
    return Product(
        product_id,
        tuple(image(f"{product_id}_{number + 1}") for number in range(images)),
        "title",
        "words",
        category,
        subcategory,
        split,
        f"line {product_id}",
    )


CATALOGUE = Catalogue(
    "shop.jsonl",
    "00",
    (
        product("1", "Tops", "Vest"),
        product("2", "Shoes", "Boots", "valid"),
        product("3", "Tops", "Blouse"),
    ),
)


def test_names_are_sorted_and_over_all_splits():
    assert CATALOGUE.category_names == ("Shoes", "Tops")
    assert CATALOGUE.subcategory_names == ("Blouse", "Boots", "Vest")


def test_of_split_keeps_the_order():
    assert [product.product_id for product in CATALOGUE.of_split("train")] == ["1", "3"]


def test_unknown_split_names_the_splits_there_are():
    with pytest.raises(InputError) as caught:
        CATALOGUE.of_split("test")
    assert (
        str(caught.value)
        == "Needed: a split of the catalogue. Received: 'test', but there are: train (2 products), "
        "valid (1 products). Where: shop.jsonl."
    )


def test_make_product_fills_in_and_cleans():
    texts = {"title": " A\tred\n dress\x01 ", "category": "Dress", "split": " "}
    made = make_product("7", [image("7_1")], texts, "line 3")
    assert (made.title, made.description) == ("A red dress", "")
    assert (made.category, made.subcategory, made.split) == ("Dress", "Dress", "train")


@pytest.mark.parametrize(
    "product_id, images, texts, words",
    [
        (
            "7",
            1,
            {"title": "t"},
            "Needed: a category. Received: none or a blank one. Where: line 3, product 7.",
        ),
        (
            "7",
            1,
            {"category": "c", "title": " ", "description": ""},
            "Needed: a title or a description. Received: neither",
        ),
        (
            "7",
            0,
            {"category": "c", "title": "t"},
            "Needed: at least one image. Received: none. Where: line 3, product 7.",
        ),
        ("", 1, {"category": "c", "title": "t"}, "Received: ''. Where: line 3."),
        ("7\x01", 1, {"category": "c", "title": "t"}, r"Received: '7\x01'. Where: line 3."),
    ],
)
def test_make_product_refuses(product_id, images, texts, words):
    with pytest.raises(InputError) as caught:
        make_product(product_id, [image("7_1")] * images, texts, "line 3")
    assert words in str(caught.value)


def test_markup_and_windows_letters_become_text_in_every_field_but_ids():
    texts = {
        "title": "Tops &amp;<br/>tees \x96 new",
        "description": "<p>a</p>",
        "category": "Tops &amp; tees",
        "subcategory": "<b>Vests</b>",
    }
    made = make_product("7&amp;", [image("7_1")], texts, "line 3")
    assert (made.product_id, made.title, made.description) == ("7&amp;", "Tops & tees – new", "a")
    assert (made.category, made.subcategory) == ("Tops & tees", "Vests")
    kept = make_product("7", [image("7_1")], texts, "line 3", keep_markup=True)
    assert (kept.title, kept.category) == ("Tops &amp;<br/>tees – new", "Tops &amp; tees")
    with pytest.raises(InputError, match="a title or a description. Received: neither"):
        make_product("7", [], {"category": "Tops", "title": "<p>&nbsp;</p>"}, "line 3")


def test_a_sub_category_is_a_name_within_a_category():
    pairs = [("Tops", "Other"), ("Tops", "Vest"), ("Shoes", "Other"), ("Shoes", "Shoes")]
    products = tuple(product(str(n), *pair) for n, pair in enumerate(pairs))
    catalogue = Catalogue("shop.jsonl", "00", products)
    assert catalogue.subcategory_names == ("Shoes", "Shoes/Other", "Tops/Other", "Vest")
    assert catalogue.subcategories["Tops", "Other"] == "Tops/Other"


def test_names_of_sub_categories_differ_whatever_they_hold():
    pairs = [("A", "B/C"), ("A/B", "C"), ("X", "C"), ("X", "B/C"), ("X", "X/C")]
    catalogue = Catalogue("s", "0", tuple(product(str(n), *pair) for n, pair in enumerate(pairs)))
    assert len(set(catalogue.subcategory_names)) == len(pairs)


def test_one_line():
    assert one_line("  a \u00a0 b\r\nc\x00d ") == "a b c d"


def test_digest_by_hand():
    row = ["1", "title", "words", "Tops", "Vest", "train", [["1_1", "a.png 9"]]]
    assert (
        products_digest([product("1")], {"1_1": "a.png 9"})
        == hashlib.sha256(json.dumps(row).encode() + b"\n").hexdigest()
    )


def test_digest_depends_on_everything_but_the_order():
    identities = {"1_1": "a 5", "1_2": "b 6", "2_1": "c 7"}
    base = products_digest([product("1"), product("2")], identities)
    assert base == products_digest([product("2"), product("1")], identities)
    changed = [
        product("1", category="Shoes"),
        product("1", subcategory="Boots"),
        product("1", split="valid"),
        product("1", images=2),
    ]
    digests = {products_digest([first, product("2")], identities) for first in changed}
    digests.add(products_digest([product("1"), product("2")], {**identities, "2_1": "c 8"}))
    assert len(digests | {base}) == len(changed) + 2


def write_manifest(path):
    path.write_text(
        json.dumps({"product_id": "1", "image": "a.png", "title": "t", "category": "c"})
    )


def write_hdf5(path, product_id):
    with h5py.File(path, "w") as file:
        file["input_image"] = np.zeros((1, 5, 7, 3), np.uint8)
        file["input_productID"] = np.array([[product_id]])
        for name in ("name", "description", "category", "subcategory"):
            file[f"input_{name}"] = np.array([[b"text"]])


def test_a_manifest_is_found_by_file_or_folder(tmp_path):
    write_manifest(tmp_path / "products.jsonl")
    write_manifest(tmp_path / "other.jsonl")
    by_file, by_folder = (
        read_catalogue(str(tmp_path / "other.jsonl")),
        read_catalogue(str(tmp_path)),
    )
    assert len(by_file.products) == len(by_folder.products) == 1
    assert by_folder.source == str(tmp_path / "products.jsonl")


def test_fashion_gen_is_found_by_file_glob_or_commas(tmp_path):
    write_hdf5(tmp_path / "f_train.h5", 11)
    write_hdf5(tmp_path / "f_validation.hdf5", 12)

    def ids(*parts):
        source = ",".join(str(tmp_path / part) for part in parts)
        return [product.product_id for product in read_catalogue(source).products]

    assert ids("f_train.h5") == ["11"]
    assert ids("f_validation.hdf5", "f_train.h5") == ["12", "11"]
    assert ids("f_*.h5", "*.hdf5") == ["11", "12"]
    assert ids("f_train.h5", "f_*.h5") == ["11"]  # a file named twice is read once


@pytest.mark.parametrize(
    "source, words",
    [
        (
            "shop.csv",
            "Needed: a manifest (*.jsonl, or a folder with products.jsonl), Fashion-Gen files",
        ),
        ("", "Received: something else. Where: ''."),
        (".", "Received: a folder without products.jsonl. Where: ."),
        ("none.h5", "Received: no file for 'none.h5'. Where: none.h5."),
        ("none_*.h5", "Received: no file for 'none_*.h5'. Where: none_*.h5."),
        (
            "there.csv,none.h5",
            "Needed: Fashion-Gen files (*.h5 or *.hdf5). Received: ['there.csv'] for 'there.csv'.",
        ),
        (
            "none.jsonl",
            "A manifest file is needed. none.jsonl cannot be read: No such file or directory",
        ),
    ],
)
def test_other_sources_are_refused(tmp_path, monkeypatch, source, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").touch()
    with pytest.raises(InputError) as caught:
        read_catalogue(source)
    assert words in str(caught.value)


def test_globs_of_hdf5_files_below_a_folder_that_is_called_like_a_glob(tmp_path):
    folder = tmp_path / "shop [2024] *new*"
    folder.mkdir()
    write_hdf5(folder / "f_train.h5", 11)
    catalogue = read_catalogue(f"{folder}/f_*.h5")
    assert [product.product_id for product in catalogue.products] == ["11"]

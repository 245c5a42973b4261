import json
import pickle

import numpy as np
import pytest
from PIL import Image

from data_prep.catalogue.manifest import read_entries, read_manifest
from kaleido_tf.errors import InputError

ROW = {
    "product_id": "12",
    "image": "images/a.png",
    "title": "Wrap dress",
    "description": "A dress.",
    "category": "Full body",
    "subcategory": "Dress",
    "split": "valid",
    "colour": 5,
}


def written(folder, *rows):
    """Rows are dicts, or text that is written as it is."""
    path = folder / "products.jsonl"
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n", "utf-8"
    )
    return str(path)


def message(path):
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    return str(caught.value)


def draw(path, width=7, height=5):
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (width, height), (9, 8, 7)).save(path)


def test_reads_every_field_and_loads_the_image(tmp_path):
    draw(tmp_path / "images" / "a.png")
    path = written(tmp_path, ROW)
    catalogue = read_manifest(path)
    (product,) = catalogue.products
    assert (product.product_id, product.title, product.description) == (
        "12",
        "Wrap dress",
        "A dress.",
    )
    assert (product.category, product.subcategory, product.split) == ("Full body", "Dress", "valid")
    assert product.where == f"{path} line 1" and catalogue.source == path
    assert [image.image_id for image in product.images] == ["12_1"]
    assert product.images[0].where == str(tmp_path / "images" / "a.png")
    pixels = pickle.loads(pickle.dumps(product.images[0])).load()  # can go to another process
    assert pixels.shape == (5, 7, 3) and tuple(pixels[4, 6]) == (9, 8, 7)


def test_several_images_blank_lines_byte_order_mark_and_defaults(tmp_path):
    row = {
        "product_id": "b",
        "images": ["x.png", "y.png"],
        "title": None,
        "description": "Words",
        "category": "Shoes",
    }
    path = written(tmp_path, "\ufeff" + json.dumps(ROW), "", row)
    first, second = read_manifest(path).products
    assert first.product_id == "12"
    assert [image.image_id for image in second.images] == ["b_1", "b_2"]
    assert [image.where for image in second.images] == [
        str(tmp_path / "x.png"),
        str(tmp_path / "y.png"),
    ]
    assert (second.title, second.subcategory, second.split) == ("", "Shoes", "train")
    assert second.where == f"{path} line 3"


def test_a_missing_image_is_found_when_it_is_loaded(tmp_path):
    path = written(tmp_path, ROW)
    (product,) = read_manifest(path).products
    with pytest.raises(InputError) as caught:
        product.images[0].load()
    assert (
        str(caught.value)
        == f"Needed: an image file. Received: no file of that name. Where: {tmp_path}/images/a.png "
        f"(product 12, {path} line 1)."
    )


@pytest.mark.parametrize(
    "row, words",
    [
        ("{not json", "Needed: one JSON object a line. Received: '{not json' ("),
        ('["12"]', "Needed: one JSON object a line. Received: a JSON list."),
        ("[" * 100_000, "Needed: one JSON object a line. Received: '[[["),
        (
            {**ROW, "product_id": None},
            "Needed: the field 'product_id'. Received: only ['category',",
        ),
        (
            {**ROW, "product_id": 12},
            "Needed: the field 'product_id' as a string. Received: int 12.",
        ),
        (
            {**ROW, "title": ["Wrap"]},
            "Needed: the field 'title' as a string. Received: list ['Wrap'].",
        ),
        ({**ROW, "category": None}, "Needed: a category. Received: none or a blank one."),
        (
            {**ROW, "title": "", "description": None},
            "Needed: a title or a description. Received: neither, or both blank.",
        ),
        (
            {**ROW, "image": None},
            "Needed: the field 'image' or the field 'images'. Received: neither.",
        ),
        (
            {**ROW, "images": ["b.png"]},
            "Needed: the field 'image' or the field 'images'. Received: both.",
        ),
        (
            {**ROW, "image": None, "images": "b"},
            "Needed: the field 'images' as a list of paths, not empty. Received: 'b'.",
        ),
        (
            {**ROW, "image": None, "images": []},
            "Needed: the field 'images' as a list of paths, not empty. Received: [].",
        ),
        (
            {**ROW, "image": None, "images": ["b.png", 3]},
            "Needed: the field 'images' as a string. Received: int 3.",
        ),
        ({**ROW, "image": " "}, "Needed: a path to an image. Received: ' '."),
        ({**ROW, "image": "a\0.png"}, r"Needed: a path to an image. Received: 'a\x00.png'."),
        (
            {**ROW, "image": "../a"},
            (
                "Needed: an image path inside the catalogue's folder, or an absolute one."
                " Received: '../a'."
            ),
        ),
        ({**ROW, "image": "images/../../a.png"}, "Received: 'images/../../a.png'."),
        (
            '{"product_id": "13", "title": "\\ud800"}',
            "Needed: the field 'title' in Unicode. Received: ",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path, row, words):
    path = written(tmp_path, {**ROW, "product_id": "11"}, row)
    text = message(path)
    assert words in text and f"Where: {path} line 2" in text


def test_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "products.jsonl"
    path.write_bytes(b'{"title": "caf\xe9"}\n')
    text = message(str(path))
    assert text.startswith(f"{path} line 1: text in UTF-8 is needed.") and "0xe9" in text


def test_a_product_id_that_comes_twice_names_both_lines(tmp_path):
    path = written(tmp_path, ROW, {**ROW, "product_id": "13"}, ROW)
    assert (
        message(path)
        == f"Needed: every product_id once. Received: '12' twice. Where: {path} line 1 and {path}"
        " line 3."
    )


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_manifest(tmp_path, text):
    path = written(tmp_path, text)
    assert (
        message(path)
        == f"Needed: at least one product. Received: a manifest without any. Where: {path}."
    )


def test_a_missing_manifest(tmp_path):
    path = str(tmp_path / "products.jsonl")
    assert (
        message(path)
        == f"A manifest file is needed. {path} cannot be read: No such file or directory"
    )


def test_an_absolute_path_and_dots_inside_are_allowed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "shop").mkdir()
    draw(tmp_path / "elsewhere" / "b.png", 3, 2)
    path = written(
        tmp_path / "shop",
        {**ROW, "image": str(tmp_path / "elsewhere" / "b.png")},
        {**ROW, "product_id": "13", "image": "x/../a.png"},
    )
    first, second = read_manifest(path).products
    assert first.images[0].load().shape == (2, 3, 3)
    assert second.images[0].where == str(tmp_path / "shop" / "x/../a.png")


def test_entries_keep_names_and_paths(tmp_path):
    (entry,) = read_entries(written(tmp_path, ROW))
    assert entry.names == ("images/a.png",) and entry.paths == (str(tmp_path / "images/a.png"),)


def test_digest_ignores_folder_and_times_and_sees_image_sizes(tmp_path):
    digests = []
    for folder, width in (("one", 7), ("two", 7), ("three", 77)):
        (tmp_path / folder).mkdir()
        draw(tmp_path / folder / "images" / "a.png", width)
        digests.append(read_manifest(written(tmp_path / folder, ROW)).digest)
    assert digests[0] == digests[1] != digests[2]
    (tmp_path / "one" / "images" / "a.png").unlink()
    assert read_manifest(str(tmp_path / "one" / "products.jsonl")).digest not in digests


def test_many_products_are_read_without_opening_images(tmp_path):
    rows = [{**ROW, "product_id": f"p{number}", "image": f"{number}.png"} for number in range(1000)]
    products = read_manifest(written(tmp_path, *rows)).products
    assert len(products) == 1000 and products[999].images[0].image_id == "p999_1"
    assert np.unique([product.where for product in products]).size == 1000


def test_manifest_of_broken_lines_only_says_what_was_wrong(tmp_path):
    path = tmp_path / "products.jsonl"
    path.write_text("{\n[]\n")
    with pytest.raises(InputError, match="a manifest without any that can be used .*line 1"):
        read_manifest(str(path), skip_unusable=True)


def test_markup_is_kept_where_it_is_asked_for(tmp_path):
    row = {"product_id": "1", "image": "a.png", "title": "a &amp; b", "category": "Tops"}
    path = tmp_path / "products.jsonl"
    path.write_text(json.dumps(row))
    plain, kept = read_manifest(str(path)), read_manifest(str(path), keep_markup=True)
    assert (plain.products[0].title, plain.keep_markup) == ("a & b", False)
    assert (kept.products[0].title, kept.keep_markup) == ("a &amp; b", True)
    assert plain.digest != kept.digest


@pytest.mark.parametrize("split", ["../outside", "/abs", "a/b", "..", "a\\b", "con", "a:b", ".x"])
def test_split_that_leads_elsewhere_is_named(tmp_path, split):
    (tmp_path / "1.png").write_bytes(b"")
    row = {"product_id": "7", "image": "1.png", "title": "a", "category": "b", "split": split}
    (tmp_path / "products.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match="a split that can .*products.jsonl line 1, product 7"):
        read_manifest(str(tmp_path / "products.jsonl"))


def test_photos_are_found_in_another_unicode_form(tmp_path):
    (tmp_path / "e\u0301.png").write_bytes(b"")
    row = {"product_id": "7", "image": "é.png", "title": "a", "category": "b"}
    (tmp_path / "products.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n")
    (product,) = read_manifest(str(tmp_path / "products.jsonl")).products
    assert product.images[0].where == str(tmp_path / "e\u0301.png")

import json

from data_prep.catalogue.duplicates import duplicates_across_splits, in_words
from data_prep.catalogue.reading import read_catalogue

ROWS = (  # id, photos, title, split
    ("1", ["a.png"], "Red", "train"),
    ("2", ["b.png"], "Red", "valid"),  # another photo
    ("3", ["c.png"], "Blue", "valid"),  # another text
    ("4", ["b.png", "copy.png"], "Red", "test"),  # of 1 and of 2
    ("5", ["a.png"], "Red", "train"),  # of its own split 1, and of another 4
    ("6", ["gone.png"], "Grey", "train"),
    ("7", ["gone.png"], "Grey", "valid"),
)


def catalogue_of(folder):
    contents = {"a.png": b"photo a", "b.png": b"photo b", "c.png": b"photo a"}
    for name, content in {**contents, "copy.png": b"photo a"}.items():
        (folder / name).write_bytes(content)
    rows = [
        {"product_id": number, "images": images, "title": title, "category": "T", "split": split}
        for number, images, title, split in ROWS
    ]
    (folder / "products.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return read_catalogue(str(folder))


def test_products_of_one_text_and_photo_in_two_splits(tmp_path):
    duplicates = duplicates_across_splits(catalogue_of(tmp_path).products)
    assert sorted((d.second.product_id, d.first.product_id) for d in duplicates) in (
        [("4", "1"), ("5", "4")],
        [("4", "2"), ("5", "4")],
    )
    words = in_words(duplicates)
    assert words.startswith("2 products lie in two splits") and "5 (train) is 4 (test)" in words


def test_no_duplicates_no_words(tmp_path):
    products = [p for p in catalogue_of(tmp_path).products if p.split == "train"]
    assert duplicates_across_splits(products) == [] and in_words([]) == ""

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search.filters import as_text, mask_of, parse_filter
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.index_writing import IndexSettings, write_index
from tests.small_index import block


@pytest.fixture
def index(tmp_path):
    parts = [
        block(
            ["A", "B", "C", "D", "E", "F"],
            category=["Dress", "dress ", "Skirt", "Shirt, long", None, 'The "slim" one'],
            colour=["Blue", ["navy", "Red"], "red", "Grün", "BLUE", []],
            size=[12, 12.0, 12.5, True, "12", None],
        )
    ]
    write_index(tmp_path, lambda done: parts, IndexSettings("model", 7), "digest")
    return open_index(tmp_path)


@pytest.mark.parametrize(
    ("text", "products"),
    [
        ("category=Dress", "AB"),
        ("category=dress,colour=blue|navy", "AB"),
        ("colour = RED | grün", "BCD"),
        ("colour=gru\u0308n", "D"),  # in another Unicode form
        ("Colour=blue,size=12", "AE"),
        ("size=12|true", "ABDE"),
        ('category="Shirt, long"', "D"),
        ('category="The ""slim"" one"|skirt', "CF"),
        ("product_id=c|F", "CF"),
    ],
)
def test_rows_that_pass(index, text, products):
    assert "".join("ABCDEF"[row] for row in np.flatnonzero(mask_of(index, text))) == products


def test_columns_are_made_once(index, monkeypatch):
    mask_of(index, "category=Dress,colour=blue")
    monkeypatch.setattr(type(index.items), "__iter__", None)
    assert mask_of(index, "colour=blue").sum() == 2


def test_fields_and_values_that_are_not_there(index):
    with pytest.raises(
        InputError, match="have the fields product_id, image_id, category, colour, size. .*'color'"
    ):
        mask_of(index, "category=Dress,color=blue")
    with pytest.raises(InputError, match="No item has colour=nawy. Like it: navy"):
        mask_of(index, "colour=blue|nawy")
    with pytest.raises(InputError, match="No item has colour=zzz. There are Blue, navy, Red, Grün"):
        mask_of(index, "colour=zzz")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "''"),
        ("category", "'category'"),
        ("category=", "'category='"),
        ("category=a|", "'category=a|'"),
        ("a=b,,c=d", "',c=d'"),
        ("a=b,", "''"),
        ('a="b', "'a=\"b'"),
        ('a="b"c', "'a=\"b\"c'"),
        ("a=b,A=c", "'A=c'"),
        ("=b", "'=b'"),
    ],
)
def test_what_is_no_filter(text, wrong):
    with pytest.raises(InputError) as caught:
        parse_filter(text)
    assert str(caught.value).endswith(f"wrong from {wrong}")


def test_values_as_one_writes_them():
    assert [as_text(v) for v in (True, 12, 12.0, 0.5, "x")] == ["true", "12", "12", "0.5", "x"]

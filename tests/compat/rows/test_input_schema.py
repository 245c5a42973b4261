import pytest

from kaleido_tf.compat.rows.input_schema import Column, format_schema, parse_schema
from kaleido_tf.errors import InputError


def test_columns_in_order_and_back():
    text = "input_ids:int:64,img_feature_convert_rotation:float:2048,prod_desc:str:1,raw:base64:5"
    columns = parse_schema(text)
    assert columns[1] == Column("img_feature_convert_rotation", "float", 2048)
    assert [column.kind for column in columns] == ["int", "float", "str", "base64"]
    assert format_schema(columns) == text


def test_camouflage_declared_35_means_45_values():
    released, right, other = (
        parse_schema("img_loc_position_camouflage:int:35,a:int:35"),
        parse_schema("img_loc_position_camouflage:int:45"),
        parse_schema("img_loc_position_camouflage:int:36"),
    )
    assert [column.values for column in released + right + other] == [45, 35, 45, 36]
    assert released[0].length == 35 and format_schema(released).startswith(
        "img_loc_position_camouflage:int:35"
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"column 1: name:type:length is needed. Received: ''"),
        ("a:int:1,b:float", r"column 2: name:type:length is needed. Received: 'b:float'"),
        ("a:int:1,", r"column 2: name:type:length is needed. Received: ''"),
        (":int:1", r"column 1: name:type:length is needed. Received: ':int:1'"),
        ("a:int:1:2", r"column 1: name:type:length"),
        (
            "a:double:1",
            r"column 1 \(a\): a type of int, float, str, base64 is needed. Received: double",
        ),
        ("a:int:0", r"column 1 \(a\): a whole length of at least 1 is needed. Received: 0"),
        ("a:int:-3", r"at least 1 is needed. Received: -3"),
        ("a:int:1.5", r"at least 1 is needed. Received: 1.5"),
        ("a:int:1,b:int:2,a:float:3", r"column 3: every name once is needed. Received twice: a"),
    ],
)
def test_broken_schemas_are_named(text, message):
    with pytest.raises(InputError, match=message):
        parse_schema(text)

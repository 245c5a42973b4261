"""The columns of the originals' rows: what they mean to our models, both ways."""

import numpy as np
import pytest

from kaleido_tf.compat.rows.input_schema import format_schema, parse_schema
from kaleido_tf.compat.rows.row_columns import pretraining_columns, pretraining_schema, row_format
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, read_config
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.fashion_bert.model import FashionBert
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from tests import golden_files, golden_rows
from tests.tiny_models import tiny_config

KALEIDO = KaleidoBertConfig()
KALEIDO_PRETRAINING, FASHION_BERT_PRETRAINING = (
    FAMILIES[config.MODEL_TYPE].original.easytransfer.rows.columns["pretraining"]
    for config in (KaleidoBertConfig, FashionBertConfig)
)
RELEASED = (
    "input_ids:int:64,input_mask:int:64,segment_ids:int:64,masked_lm_positions:int:10,masked_lm_ids:int:10,"
    "masked_lm_weights:float:10,img_feature_convert_rotation:float:2048,img_feature_convert_jigsaw:float:8192,"
    "img_feature_convert_camouflage:float:18432,img_feature_convert_grey_mask:float:32768,img_feature_convert_blank_mask:float:51200,"
    "image_mask:int:55,img_loc_position_rotation:int:5,img_loc_position_jigsaw:int:20,img_loc_position_camouflage:int:35,"
    "img_loc_position_grey_mask:int:80,img_loc_position_blank_mask:int:125,img_subtasks_flag:int:1,img_grey_lm_ids:int:2,"
    "img_blank_lm_ids:int:3,img_rotate_gt:int:1,img_jigsaw_gt:int:1,img_camouflage_gt:int:1,img_grey_mask_gt:float:4096,nx_sent_labels:int:1"
)
FASHION = (
    "image_feature:float:131072,image_mask:int:64,masked_patch_positions:int:5,input_ids:int:64,input_mask:int:64,segment_ids:int:64,"
    "masked_lm_positions:int:10,masked_lm_ids:int:10,masked_lm_weights:float:10,nx_sent_labels:int:1"
)


@pytest.mark.parametrize(
    "schema, config, names",
    [
        (RELEASED, KALEIDO, KALEIDO_PRETRAINING),
        (FASHION, FashionBertConfig(), FASHION_BERT_PRETRAINING),
    ],
)
def test_released_schemas_are_ours(schema, config, names):
    form = row_format(parse_schema(schema), config, "pretraining")
    assert form.names == names and form.text_length == 64
    ours = pretraining_schema(config, text_length=64, masked_tokens=10)
    assert format_schema(ours).replace("camouflage:int:45", "camouflage:int:35") == schema


def test_other_names_are_taken_by_position_and_said_so(capsys):
    schema = parse_schema(RELEASED.replace("img_rotate_gt", "turn"))
    assert row_format(schema, KALEIDO, "pretraining").names == KALEIDO_PRETRAINING
    assert "turn" in capsys.readouterr().out


def test_order_does_not_matter_where_names_are_known():
    schema = tuple(reversed(parse_schema(RELEASED)))
    form = row_format(schema, KALEIDO, "pretraining")
    assert form.names == tuple(reversed(KALEIDO_PRETRAINING))
    assert list(form.rename({column.name: column.length for column in schema})) == list(form.names)


@pytest.mark.parametrize(
    "schema, purpose, message",
    [
        (
            RELEASED.replace("float:2048", "float:512"),
            "pretraining",
            "`img_feature_convert_rotation` must have 2048 values for this model.*Declared: 512",
        ),
        (
            RELEASED.replace("img_blank_lm_ids:int:3", "img_blank_lm_ids:int:4"),
            "pretraining",
            "`img_blank_lm_ids` must have 3 values",
        ),
        (RELEASED.replace("segment_ids:int:64,", ""), "pretraining", "Missing: segment_ids"),
        (RELEASED, "matching", "Missing: text_prod_id, prod_desc"),
    ],
)
def test_schema_that_does_not_fit_is_named(schema, purpose, message):
    with pytest.raises(InputError, match=message):
        row_format(parse_schema(schema), KALEIDO, purpose)


def test_recognition_is_known_of_kaleido_bert_only():
    with pytest.raises(
        InputError, match="Rows for recognition are known of .* kaleidobert. Received: .* imagebert"
    ):
        row_format(parse_schema(FASHION), FashionBertConfig(), "recognition")


@pytest.mark.parametrize(
    "model",
    [
        KaleidoBert(tiny_config(), text_length=7),
        FashionBert(
            FashionBertConfig(
                vocab_size=23,
                hidden_size=12,
                num_hidden_layers=1,
                num_attention_heads=3,
                intermediate_size=20,
                max_position_embeddings=11,
                patch_feature_size=5,
                max_patch_position_embeddings=16,
            ),
            text_length=7,
        ),
    ],
    ids=lambda model: model.config.model_type,
)
def test_inputs_become_columns_and_inputs_again(model):
    generator = np.random.default_rng(3)
    inputs = {}
    for name, tensor in model.pretrainer.input.items():
        shape = [2] + [size or 4 for size in tensor.shape[1:]]
        whole = tensor.dtype.is_integer
        inputs[name] = (
            generator.integers(0, 2, shape).astype(np.int32)
            if whole
            else generator.normal(size=shape).astype(np.float32)
        )
    columns = pretraining_columns(inputs, model.config)
    rows = FAMILIES[model.config.model_type].original.easytransfer.rows
    assert tuple(columns) == rows.columns["pretraining"]
    schema = pretraining_schema(model.config, text_length=7, masked_tokens=4)
    assert [column.values for column in schema] == [array.shape[1] for array in columns.values()]
    again = row_format(schema, model.config, "pretraining", model.TASKS).model_inputs(columns)
    if "patch_mask" in inputs:
        inputs["patch_mask"] = columns["image_mask"]
    assert set(again) == set(inputs)
    for name, array in again.items():
        np.testing.assert_array_equal(array, inputs[name])
        assert array.dtype == inputs[name].dtype


def test_only_the_tasks_inputs_are_made():
    columns = golden_files.columns("kaleidobert_pretrain")
    config = read_config(golden_files.kaleido_bert() / "config.json")
    schema = golden_rows.schema("kaleidobert_pretrain")
    form = row_format(schema, config, "pretraining", ("jigsaw",))
    inputs = form.model_inputs(columns)
    assert {"jigsaw_label", "next_sentence_label"} <= set(inputs) and not {
        "rotation_label",
        "blank_to_color_positions",
        "grey_to_color_targets",
    } & set(inputs)

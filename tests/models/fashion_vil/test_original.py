"""What the release's state dict calls our variables."""

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil import original, starts
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.model import FashionVil
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from tests.fashion_vil_golden import config, shared_model
from tests.golden_files import fashion_vil, read_json

FULL = {
    36: 768,
    37: 3072,
    38: 30522,
    76: 512,
    13: 2232,
    **{5 * 2**n: 64 * 2**n for n in range(6)},
    **{32 * 2**n: 128 * 2**n for n in range(3)},
    9: 256,
    11: 256,
    14: 1024,
}
"""Size of a narrow model -> the release's."""


def narrow() -> FashionVilConfig:
    """As many blocks as the release has; its widths by `FULL`."""
    tokenizer = TokenizerConfig(hidden_dim=32, z_channels=9, code_dim=11, num_codes=14)
    return FashionVilConfig(
        vocab_size=38,
        hidden_size=36,
        intermediate_size=37,
        max_position_embeddings=76,
        stem_width=5,
        num_attributes=13,
        patch_tokenizer=tokenizer,
    )


def test_every_key_of_the_release_is_known_once():
    """All of pre-training, at the release's depth."""
    model = FashionVil(narrow())
    _ = model.pretrainer
    names = original.variable_names(model)
    shapes = {key: entry.original_shape for key, entry in names.items()}
    for key, entry in original.repeated_variables(model).items():
        shapes[key] = entry.original_shape
    shapes |= {key: array.shape for key, array in original.constant_arrays(model).items()}
    theirs = read_json(fashion_vil() / "checkpoint_keys_full_size.json")["pretraining"]["keys"]
    ours = {key: [FULL.get(size, size) for size in shape] for key, shape in shapes.items()}
    assert ours == theirs and len(ours) == 706
    assert len({id(entry.variable) for entry in names.values()}) == len(names)


@pytest.mark.parametrize("tasks", [("itm",), ("mlm", "pac"), ()])
def test_heads_are_built_with_their_tasks(tasks):
    model = FashionVil(config(image_depths=(1, 1, 1, 1)), tasks)
    layers = {FashionVil.TASK_LAYERS[task] for task in tasks}
    original.build_heads(model, tuple(layers))
    keys = original.variable_names(model)
    for layer, key in original.HEADS_BY_LAYER.items():
        there = layer in layers or (layer == "contrastive_norm" and bool(tasks))
        assert (key in keys) == there, key


def test_arrays_go_there_and_back():
    for key, entry in original.variable_names(shared_model()).items():
        array = np.arange(np.prod(entry.original_shape)).reshape(entry.original_shape)
        np.testing.assert_array_equal(entry.to_original(entry.to_ours(array)), array, err_msg=key)


def test_names_of_networks_that_it_starts_from():
    names = {
        "conv1.weight": "image_encoder.model.0.weight",
        "bn1.running_mean": "image_encoder.model.1.running_mean",
        "layer1.0.downsample.0.weight": "image_encoder.model.4.0.downsample.0.weight",
        "layer4.2.bn3.bias": "image_encoder.model.7.2.bn3.bias",
        "fc.weight": "fc.weight",
        "cls/seq_relationship/output_bias": "cls/seq_relationship/output_bias",
        "cls/predictions/output_bias": "model.heads.mlm.bias",
        "bert/embeddings/LayerNorm/gamma": "model.bert.embeddings.LayerNorm.weight",
        "model.bert.pooler.dense.bias": "model.bert.pooler.dense.bias",
    }
    assert starts.start_names(names) == {key: (name, False) for name, key in names.items()}
    found = starts.start_names(
        ["bert/embeddings/position_embeddings", "bert/encoder/layer_1/output/dense/kernel"]
    )
    embeddings = "model.bert.embeddings.position_embeddings"
    assert found == {
        f"{embeddings}.weight": ("bert/embeddings/position_embeddings", False),
        f"{embeddings}_visual.weight": ("bert/embeddings/position_embeddings", False),
        "model.bert.encoder.layer.1.output.dense.weight": (
            "bert/encoder/layer_1/output/dense/kernel",
            True,
        ),
    }


def shapes_of(depths, layers) -> dict:
    blocks = [f"layer{s}.{n}.conv1.weight" for s, d in enumerate(depths, 1) for n in range(d)]
    blocks += [f"bert/encoder/layer_{n}/output/dense/bias" for n in range(layers)]
    return dict.fromkeys(starts.start_names(blocks), (3,))


@pytest.mark.parametrize(
    "depths, layers, message",
    [
        ((3, 4, 23, 3), 2, r"x must .*: image_depths \[3, 4, 6, 3\], there \[3, 4, 23, 3\]$"),
        ((3, 4, 6, 3), 4, "says: num_hidden_layers 2, there 4$"),
        ((), 0, "starts from the weights of a FashionViL, a ResNet .* x holds none of a block"),
    ],
)
def test_starts_of_other_depths_are_refused(depths, layers, message):
    with pytest.raises(InputError, match=message):
        starts.check_start(shapes_of(depths, layers), config(), "x")


def test_parts_alone_are_starts():
    starts.check_start(shapes_of((3, 4, 6, 3), 0), config(), "x")
    starts.check_start(shapes_of((), 2), config(), "x")

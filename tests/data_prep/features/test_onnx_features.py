"""Any image network as a backbone: which output is which, what a JSON file must say, and that
nothing is guessed.
"""

import json

import numpy as np
import pytest
from onnx import TensorProto

from data_prep.features.backbones import build_backbone, check_backbone
from data_prep.features.input_sizes import InputSizes
from data_prep.onnx_graphs.settings_file import METADATA_KEY
from kaleido_tf.errors import InputError
from tests.onnx_networks import CHANNELS, IMAGENET, PLAIN, STRIDE, Network

IMAGES = np.random.default_rng(0).integers(0, 256, [3, 48, 72, 3], np.uint8)


@pytest.fixture
def build(tmp_path):
    """Backbone of a network and what the JSON file says; None for no file."""

    def built(network, said=PLAIN):
        settings = tmp_path / "n.json"
        settings.write_text(json.dumps(said))
        path = network.save(tmp_path / "n.onnx")
        return build_backbone("onnx", path, preprocessing="" if said is None else str(settings))

    return built


def refusal(build, network, said):
    with pytest.raises(InputError) as caught:
        build(network, said)
    return str(caught.value)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_pixels_are_prepared_as_the_file_says(build, layout, order):
    shape = ("n", 3, "h", "w") if layout == "NCHW" else ("n", "h", "w", 3)
    network = Network(shape=shape, layout=layout)
    backbone = build(network, {**IMAGENET, "value_range": [-1, 1], "channel_order": order})
    pixels = IMAGES[..., ::-1] if order == "BGR" else IMAGES
    pixels = (pixels / 127.5 - 1 - IMAGENET["mean"]) / IMAGENET["std"]
    maps = network.by_hand(pixels)
    close(backbone.feature_map(IMAGES), maps)
    close(backbone.extract(IMAGES), maps.mean(axis=(1, 2)))
    assert backbone.feature_size == backbone.map_channels == CHANNELS
    assert backbone.preprocessing["layout"] == layout and backbone.sizes == InputSizes(32)


@pytest.mark.parametrize(
    "dtype, places", [(TensorProto.FLOAT16, 2), (TensorProto.DOUBLE, 4), (TensorProto.UINT8, 4)]
)
def test_types_of_the_input(build, dtype, places):
    network = Network(dtype=dtype)
    said = {"channel_order": "RGB"} if dtype == TensorProto.UINT8 else PLAIN
    expected = network.by_hand(IMAGES.astype(float)).mean(axis=(1, 2))
    np.testing.assert_allclose(build(network, said).extract(IMAGES), expected, rtol=10.0**-places)


@pytest.mark.parametrize(
    "output, way",
    [
        ("map", None),
        ("map_last", None),
        ("tokens", {"output": "tokens", "tokens": "patches"}),
        ("class_tokens", {"output": "class_tokens", "tokens": "class_first"}),
        ("class_tokens", {"output": "class_tokens", "tokens": 1}),
    ],
)
def test_map_alone_gives_its_mean_as_features(build, output, way):
    network = Network((output,))
    backbone = build(network, {**PLAIN, **({"map": way} if way else {})})
    maps = network.by_hand(IMAGES.astype(float))
    assert maps.shape == (3, 6, 9, CHANNELS)
    close(backbone.feature_map(IMAGES), maps)
    close(backbone.extract(IMAGES), maps.mean(axis=(1, 2)))
    assert backbone.map_side(56) == 7 and backbone.preprocessing["features"] == output


@pytest.mark.parametrize("output", ["features", "pooled"])
def test_vector_alone_is_the_features_and_there_is_no_map(build, output):
    network = Network((output,))
    backbone = build(network)
    close(backbone.extract(IMAGES), network.by_hand(IMAGES.astype(float)).mean(axis=(1, 2)))
    assert backbone.map_channels == 0
    with pytest.raises(InputError, match="A network with a map .* `map` of --backbone_prepro"):
        backbone.feature_map(IMAGES)


def test_features_can_be_the_mean_of_a_map_that_stands_beside_a_vector(build):
    network = Network(("features", "tokens"))
    network.kernel[0] *= 3
    said = {**PLAIN, "map": {"output": "tokens", "tokens": "patches"}, "features": "tokens"}
    backbone = build(network, said)
    close(backbone.extract(IMAGES), network.by_hand(IMAGES.astype(float)).mean(axis=(1, 2)))
    assert backbone.preprocessing["features"] == "tokens"
    assert build(network, {**said, "map": None, "features": "features"}).map_channels == 0


@pytest.mark.parametrize(
    "outputs, channels, said, needed",
    [
        (("features", "map"), 5, {}, ("channel_order", "value_range", "mean", "std")),
        (("features", "map"), 5, {"channel_order": "RGB", "std": 1}, ("value_range", "mean")),
        (("features", "map"), 1000, PLAIN, ("features",)),
        (("features", "pooled"), 5, PLAIN, ("features",)),
        (("features", "tokens"), 5, PLAIN, ("map",)),
        (("map", "map_last"), 5, PLAIN, ("map",)),
        (("features", "tokens"), 5, {**PLAIN, "map": "tokens"}, ("map",)),
        (("class_tokens",), 5, {}, ("channel_order", "value_range", "mean", "std", "map")),
    ],
)
def test_what_neither_settles_is_asked_for(build, outputs, channels, said, needed):
    message = refusal(build, Network(outputs, channels=channels), said)
    assert "Needed: --backbone_preprocessing=FILE.json with" in message
    template = json.loads(message[message.index("values: {") + 8 :])
    assert set(template) == {*said, *needed}
    for key in needed:
        assert f"`{key}` (" in message
    build(Network(outputs, channels=channels), template)  # the example is of the right form


def test_file_is_not_needed_where_the_graph_says_all(build):
    network = Network(metadata={METADATA_KEY: json.dumps(IMAGENET)})
    backbone = build(network, None)
    assert backbone.preprocessing["mean"] == IMAGENET["mean"]
    assert build(network, {"mean": 0.25}).preprocessing["mean"] == [0.25] * 3
    images = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_1_1"}
    found = build(Network(metadata=images), {"mean": 0, "std": 1}).preprocessing
    assert (found["channel_order"], found["value_range"]) == ("BGR", [-1, 1])
    message = refusal(build, Network(metadata={METADATA_KEY: '{"mena": 1}'}), None)
    assert "metadata `preprocessing`: unknown key `mena`. Is `mean` meant?" in message


@pytest.mark.parametrize(
    "said, message",
    [
        (
            {"chanel_order": "RGB"},
            r"unknown key `chanel_order`. Is `channel_order` meant\? Known: ch",
        ),
        ({**PLAIN, "std": 0}, "`std` must be divided by at last: .* Received: 0"),
        ({**PLAIN, "std": 1e-320}, "`std` must be divided by at last"),
        ({**PLAIN, "mean": float("nan")}, "`mean` must be .* Received: NaN"),
        ({**PLAIN, "mean": 10**400}, "`mean` must be "),
        ({**PLAIN, "size": 10**7}, "`size` must be .* Received: 10000000"),
        ({**PLAIN, "mean": [1, 2]}, r"`mean` must be .* Received: \[1, 2\]"),
        ({**PLAIN, "value_range": 255}, "`value_range` must be"),
        ({**PLAIN, "map": {"output": "map", "token": 1}}, "`map` must be"),
        (
            {**PLAIN, "map": "maps"},
            r"name of an output. Received: maps. There are: features \[2, 5",
        ),
        ({**PLAIN, "features": "map_last"}, "`features` must be the name of an output"),
        ({**PLAIN, "map": "features"}, "`map` must be an output of shape"),
        ({**PLAIN, "map": {"output": "map", "tokens": 1}}, "`map` must be an output of shape"),
        ({**PLAIN, "layout": "NHWC"}, "input of three colours"),
    ],
)
def test_slips_in_the_file_are_named(build, said, message):
    with pytest.raises(InputError, match=message):
        build(Network(), said)


def test_broken_json(build, tmp_path):
    path = Network().save(tmp_path / "m.onnx")
    (tmp_path / "m.json").write_text('{"mean": 1,')
    with pytest.raises(InputError, match="m.json must be JSON"):
        build_backbone("onnx", path, preprocessing=str(tmp_path / "m.json"))


@pytest.mark.parametrize(
    "tokens, outputs", [("patches", "class_tokens"), ("class_first", "tokens")]
)
def test_class_token_is_not_taken_for_a_patch(build, tokens, outputs):
    said = {**PLAIN, "map": {"output": outputs, "tokens": tokens}}
    assert "tokens that are a grid are needed" in refusal(build, Network((outputs,)), said)


def test_fixed_size_is_the_only_one(build):
    network = Network(shape=(1, 3, 40, 56))
    backbone = build(network)
    assert backbone.sizes.fixed == (56, 40) and backbone.sizes.fit(9, 300) == (56, 40)
    assert build(Network(), {**PLAIN, "size": [40, 56]}).sizes.fixed == (56, 40)
    images = IMAGES[:, :40, :56]
    close(backbone.extract(images), network.by_hand(images.astype(float)).mean(axis=(1, 2)))
    for said, message in (
        ({"size": 40}, r"`size` must be that of the graph. .* takes \[40, 56\] pixels"),
        ({"multiple": 8}, "`multiple` is for networks that take images of several sizes"),
    ):
        with pytest.raises(InputError, match=message):
            build(network, {**PLAIN, **said})
    assert "`size` (" in refusal(build, Network(shape=("n", 3, 40, "w")), PLAIN)


def test_sizes_of_the_file_are_used(build):
    sizes = build(Network(stride=14), {**PLAIN, "multiple": 14, "smallest": 42}).sizes
    assert sizes == InputSizes(42, 14) and sizes.fit(10, 57) == (42, 70)
    message = refusal(build, Network(stride=100), PLAIN)
    assert "could not be run" in message and "`size`, `smallest` or `multiple`" in message


def test_batch_that_is_fixed_inside_the_graph_is_noticed(build):
    message = refusal(build, Network(("tokens",), rows_of_tokens=1), PLAIN)
    assert "could not be run on images of shape [2, 3, 64, 192]" in message
    assert "if single images only, export it with a batch axis of 1" in message
    message = refusal(build, Network(("batch_mean",)), PLAIN)
    assert "For two images" in message and "gives batch_mean [1, 5, 8, 24]" in message


def test_small_patches_are_told_once(build, capsys):
    backbone = build(Network(stride=32))
    for _ in range(2):
        backbone.extract(np.zeros([2, 40, 66, 3], np.uint8))
    output = capsys.readouterr().out
    assert output.count("note: patches of 66 x 40 pixels") == 1
    assert "a cell is 32 pixels" in output and "--patch_size=64 or more" in output
    build(Network(stride=32)).extract(np.zeros([2, 64, 66, 3], np.uint8))
    assert not capsys.readouterr().out


def test_digest_is_of_the_file_and_of_what_was_settled(build):
    digests = {
        build(Network(stride=stride), said).digest
        for stride in (STRIDE, 10)
        for said in (PLAIN, {**PLAIN, "mean": 1}, {**PLAIN, "std": [1, 1, 1]})
    }
    assert len(digests) == 4
    backbone = build(Network(), {**PLAIN, "mean": 1})
    dataset = {
        "backbone": "onnx",
        "backbone_digest": "a" * 64,
        "backbone_preprocessing": {**backbone.preprocessing, "mean": [0.0, 0.0, 0.0]},
    }
    with pytest.raises(InputError, match=r"\(mean: \[0.0, 0.0, 0.0\] there, \[1.0, 1.0, 1.0\] now"):
        check_backbone(backbone, dataset, "records")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("onnx", "imagenet", ""), "needs --backbone_weights=PATH of an ONNX file"),
        (("resnet50", "random", "a.json"), "--backbone_preprocessing belongs to --backbone=onnx"),
        (("resnet50", "a.onnx", ""), "of an ONNX file needs --backbone=onnx"),
    ],
)
def test_flags_that_do_not_fit(arguments, message):
    name, weights, preprocessing = arguments
    with pytest.raises(InputError, match=message):
        build_backbone(name, weights, preprocessing=preprocessing)

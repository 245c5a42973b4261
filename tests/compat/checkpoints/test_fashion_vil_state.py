"""State dicts of FashionViL's release, of ResNet and of BERT into our models, and back."""

import dataclasses
import json

import numpy as np
import pytest

from kaleido_tf.compat.checkpoints.conversion import convert
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.weights import find_weights, load_weights, open_weights
from kaleido_tf.errors import InputError
from kaleido_tf.files.safetensors_file import SafetensorsFile, write_safetensors
from kaleido_tf.models.fashion_vil import original
from kaleido_tf.models.fashion_vil.model import FashionVil
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from kaleido_tf.objectives.outfit_description import OutfitDescription
from tests import text_encoders
from tests.fashion_vil_golden import arrays, batch, config, settings, weights
from tests.mvlt_state import as_released, assert_same
from tests.tiny_fashion_vil import tiny_fashion_vil
from tests.torch_files import write_torch_file

COUNT = "num_batches_tracked"


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A folder with the release's small pre-training model as it saves one."""
    folder = tmp_path_factory.mktemp("release")
    write_torch_file(folder / "fashionvil_final.pth", as_released(weights(), "module."))
    (folder / "config.json").write_text(json.dumps(config().to_dict()))
    return folder


def resnet_of(width: int, depths, seed=0) -> dict[str, np.ndarray]:
    """A ResNet as torchvision saves it."""
    generator, state = np.random.default_rng(seed), {}

    def normalised(convolution, norm, outputs, inputs, side):
        shape = (outputs, inputs, side, side)
        state[f"{convolution}.weight"] = generator.normal(size=shape).astype(np.float32)
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{part}"] = generator.uniform(0.5, 1, outputs).astype(np.float32)
        state[f"{norm}.{COUNT}"] = np.array(7)

    normalised("conv1", "bn1", width, 3, 7)
    inputs = width
    for stage, depth in enumerate(depths):
        inner = width * 2**stage
        for block in range(depth):
            scope = f"layer{stage + 1}.{block}"
            parts = ((inner, inputs, 1), (inner, inner, 3), (4 * inner, inner, 1))
            for number, sizes in enumerate(parts, 1):
                normalised(f"{scope}.conv{number}", f"{scope}.bn{number}", *sizes)
            if not block:
                shortcut = f"{scope}.downsample"
                normalised(f"{shortcut}.0", f"{shortcut}.1", 4 * inner, inputs, 1)
            inputs = 4 * inner
    return {**state, "fc.weight": np.ones([9, inputs], np.float32)}


def now(model) -> dict[str, np.ndarray]:
    """The weights that a model has, by the release's keys."""
    names = original.variable_names(model)
    return {key: entry.to_original(entry.variable.numpy()) for key, entry in names.items()}


def test_release_computes_the_golden_numbers(released, capsys):
    model, expected = FashionVil(config()), arrays("pretrain_outputs")
    _ = model.pretrainer
    load_weights(model, find_weights(released))
    out = capsys.readouterr().out
    assert "read was its entry `model`, without `module.`" in out and "not used" not in out
    tokens = model.named_layers["image_encoder"](batch()["images"])
    np.testing.assert_allclose(tokens, expected["encoder/image_tokens"], atol=1e-3)
    texts = model.named_layers["contrastive_norm"](model.text_means(batch()))
    np.testing.assert_allclose(texts, expected["itc/targets"], atol=1e-4)
    codes = model.named_layers["image_tokenizer"](batch()["images"])
    np.testing.assert_array_equal(codes, expected["vqvae/indices"])


def test_there_and_back_to_the_bit(released, tmp_path):
    report = convert(str(released), str(tmp_path / "own"), "own")
    assert report.unused == () and report.variables == len(weights())
    convert(str(tmp_path / "own"), str(tmp_path / "st"), "safetensors")
    found = open_weights(find_weights(tmp_path / "st"))
    # How often each batch norm was trained is not kept: nothing reads it.
    counts = {key: np.int64(0) for key in weights() if key.endswith(COUNT)}
    assert_same(found, {**weights(), **counts})
    assert found.tasks == FashionVil.TASKS and set(found.heads) == set(original.HEADS_BY_LAYER) - {
        "patch_features"
    }
    assert SafetensorsFile(found.path).metadata["tasks"] == "itm,pac,itc,icc,mlm,mpfc"


def test_fine_tuned_to_retrieve(tmp_path):
    """Its scale has another name; heads of pre-training it has none."""
    extra = arrays("downstream_extra_weights")["contrastive/model.norm_layer.norm_s"]
    parts = ("image_encoder.", "model.bert.")
    state = {key: array for key, array in weights().items() if key.startswith(parts)}
    write_torch_file(tmp_path / "x.pth", {**state, "model.norm_layer.norm_s": extra})
    (tmp_path / "config.json").write_text(json.dumps(config().to_dict()))
    found = open_weights(str(tmp_path / "x.pth"))
    assert (found.tasks, found.heads) == (("itc", "icc"), ("contrastive_norm",))
    report = convert(str(tmp_path / "x.pth"), str(tmp_path / "own"), "own")
    assert "model.norm_layer.norm_s as model.contrastive_norm.norm_s" in str(report)
    model = FashionVil(config(), ())
    _ = model.matcher
    load_weights(model, find_weights(tmp_path / "own"))
    np.testing.assert_array_equal(model.named_layers["contrastive_norm"].scale, extra)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"intermediate_size": 65}, r"shape: 6 \(model.bert.encoder.layer.0.intermediate.dense"),
        ({"num_hidden_layers": 3}, "Not found: 16 .*model.bert.encoder.layer.2.attention"),
    ],
)
def test_other_sizes_are_one_message(released, changes, message):
    model = FashionVil(config(image_depths=(3, 4, 6, 3), **changes), ())
    _ = model.encoder
    before = now(model)
    with pytest.raises(InputError, match=f"does not fit the model of its config.json.*{message}"):
        load_weights(model, find_weights(released))
    after = now(model)
    assert all(np.array_equal(after[key], array) for key, array in before.items())


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_resnet_and_bert_start_a_model(tmp_path, capsys, kind):
    """As the release begins: tables of the image are copies of BERT's."""
    tensors = text_encoders.draw()
    sizes = {name: text_encoders.CONFIG[name] for name in ("vocab_size", "hidden_size")}
    model = FashionVil(
        tiny_fashion_vil(
            **sizes,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=20,
            max_position_embeddings=17,
        ),
        ("mlm", "itm"),
    )
    _ = model.pretrainer
    before = now(model)
    bert = text_encoders.write(tmp_path / "bert", text_encoders.prefixed(tensors))
    network, path = resnet_of(3, (1, 1, 1, 1)), tmp_path / f"resnet50.{kind}"
    if kind == "pth":
        write_torch_file(path, network)
    else:
        write_safetensors(path, network, {})
    load_start(model, str(bert / "model.safetensors"), str(path))
    after, out = now(model), capsys.readouterr().out
    stems = {"model.0": "conv1", "model.1": "bn1"}
    images = {key: array for key, array in after.items() if key.startswith("image_encoder.")}
    for key, array in images.items():
        name = key.removeprefix("image_encoder.")
        _, number, rest = name.split(".", 2)
        stem = stems.get(f"model.{number}") or f"layer{int(number) - 3}"
        np.testing.assert_array_equal(array, network[f"{stem}.{rest}"], err_msg=key)
    for name, array in tensors.items():
        theirs = name.replace("cls.predictions", "heads.mlm")
        key = f"model.{theirs}" if name.startswith("cls.") else f"model.bert.{name}"
        np.testing.assert_array_equal(after[key], array, err_msg=name)
    for table in ("position_embeddings", "token_type_embeddings"):
        key = f"model.bert.embeddings.{table}_visual.weight"
        np.testing.assert_array_equal(after[key], tensors[f"embeddings.{table}.weight"])
    new = {key for key in after if np.array_equal(after[key], before[key])}
    itm = {f"model.heads.itm.seq_relationship.{part}" for part in ("weight", "bias")}
    projection = {f"model.bert.embeddings.projection.{part}" for part in ("weight", "bias")}
    assert new == {*itm, *projection, original.NORM}
    assert f"variables from {bert / 'model.safetensors'} and {path}" in out
    assert "with random weights: model.bert.embeddings.projection.bias, " in out
    assert "not used: fc.weight" in out


def test_what_does_not_start_a_model_is_refused(tmp_path, released):
    model = FashionVil(config(), ())
    _ = model.encoder
    shallow, wide = resnet_of(4, (1, 1, 1, 1)), resnet_of(5, (3, 4, 6, 3))
    for state, message in (
        (shallow, r"r.pth must .* image_depths \[3, 4, 6, 3\], there \[1, 1, 1, 1\]"),
        (wide, "Of another shape: 265 .*image_encoder.model"),
        ({"conv1.weight": np.ones([3, 3], np.float32)}, "starts from the weights of a FashionViL"),
    ):
        write_torch_file(tmp_path / "r.pth", state)
        with pytest.raises(InputError, match=message):
            load_start(model, str(tmp_path / "r.pth"))
    write_torch_file(tmp_path / "r.pth", resnet_of(4, (3, 4, 6, 3)))
    with pytest.raises(InputError, match="nothing in common.*r.pth hold image_encoder.model.0.w"):
        load_start(model, find_weights(released), str(tmp_path / "r.pth"))


def test_tables_of_a_new_model_are_copies_of_its_texts():
    layers = FashionVil(tiny_fashion_vil(), ()).named_layers
    image, text = layers["image_embedding"], layers["text_embedding"]
    np.testing.assert_array_equal(image.position_embeddings, text.position_embeddings)
    np.testing.assert_array_equal(image.type_embeddings, text.segment_embeddings)
    assert np.ptp(image.position_embeddings) > 0


@pytest.fixture
def outfits(tmp_path):
    """CSA-Net as the release saves it, with what says how it is to be read."""
    sizes = settings()["csa"]
    folder, side = tmp_path / "csa", sizes["image_size"]
    folder.mkdir()
    write_torch_file(folder / "csa.pth", as_released(arrays("csa_weights")))
    content = config(image_side=side, patch_tokenizer=TokenizerConfig(image_side=side)).to_dict()
    (folder / "config.json").write_text(json.dumps(content))
    names = tuple(f"kind {number}" for number in range(sizes["n_categories"]))
    description = OutfitDescription(names, sizes["feature_dim"], sizes["n_conditions"])
    description.write(folder)
    return folder, description


def test_what_completes_outfits_goes_there_and_back(outfits, tmp_path):
    folder, description = outfits
    report = convert(str(folder), str(tmp_path / "own"), "own")
    assert report.unused == ()
    convert(str(tmp_path / "own"), str(tmp_path / "st"), "safetensors")
    found = open_weights(find_weights(tmp_path / "st"))
    assert found.outfits == description and (found.tasks, found.head) == ((), None)
    counts = {key: np.int64(0) for key in arrays("csa_weights") if key.endswith(COUNT)}
    assert_same(found, {**arrays("csa_weights"), **counts})


def test_outfits_of_other_sizes_are_refused(outfits, tmp_path):
    folder, description = outfits
    dataclasses.replace(description, categories=("hat", "shoe")).write(folder)
    with pytest.raises(InputError, match="does not fit the model of its config.json.*: 1 .fusion"):
        convert(str(folder), str(tmp_path / "own"), "own")
    assert not (tmp_path / "own").exists()
    (folder / "outfits.json").write_text('{"categories": [], "vector_size": 3}')
    with pytest.raises(InputError, match="outfits.json: `categories`, a list of names, and whole"):
        convert(str(folder), str(tmp_path / "own"), "own")

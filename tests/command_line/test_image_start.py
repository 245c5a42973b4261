"""--image_encoder_weights: a ResNet beside a BERT of texts alone, or without one."""

import json

import numpy as np
import pytest

from kaleido_tf.command_line.model_source import model_to_train, tasks_there
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil.module_names import IMAGE_STEM, WORDS
from kaleido_tf.text import DEFAULT_VOCABULARY, Vocabulary
from tests import pixel_records, text_encoders
from tests.tiny_fashion_vil import tiny_fashion_vil
from tests.torch_files import write_torch_file

CONFIG = tiny_fashion_vil()


def resnet(depths=CONFIG.image_depths) -> dict[str, np.ndarray]:
    """The names of a ResNet; its numbers are looked at by the model alone."""
    names = [f"layer{s}.{n}.conv1.weight" for s, d in enumerate(depths, 1) for n in range(d)]
    return {name: np.ones([3, 3, 1, 1], np.float32) for name in ("conv1.weight", *names)}


@pytest.fixture
def folder(tmp_path):
    pixel_records.write(tmp_path / "records", 3)
    write_torch_file(tmp_path / "resnet.pth", resnet())
    sizes = ("image_side", "stem_width", "image_depths", "patch_tokenizer")
    content = {"model_type": CONFIG.MODEL_TYPE, **{n: CONFIG.to_dict()[n] for n in sizes}}
    (tmp_path / "new.json").write_text(json.dumps(content))
    (tmp_path / "mvlt.json").write_text(json.dumps({"model_type": "mvlt"}))
    size, words = len(Vocabulary()), DEFAULT_VOCABULARY.read_text(encoding="utf-8")
    tensors = text_encoders.draw(vocab_size=size)
    text_encoders.write(tmp_path / "bert", tensors, words=words, vocab_size=size)
    return tmp_path


def trained(folder, start=None, image="resnet.pth", config="new.json"):
    start, image, config = (name and str(folder / name) for name in (start, image, config))
    return model_to_train(start, config, str(folder / "run"), str(folder / "records"), 9, image)


def test_both_start_a_new_model(folder):
    source = trained(folder, "bert")
    assert source.starts == (str(folder / "bert" / "model.safetensors"), str(folder / "resnet.pth"))
    assert (source.config.hidden_size, source.config.num_hidden_layers) == (12, 2)
    assert source.vocabulary == str(folder / "bert" / "vocab.txt")


def test_either_alone(folder):
    assert trained(folder).starts == (str(folder / "resnet.pth"),)
    assert trained(folder, "resnet.pth", None).starts == (str(folder / "resnet.pth"),)
    assert trained(folder, "bert", None).starts == (str(folder / "bert" / "model.safetensors"),)


def test_a_state_dict_says_its_tasks(folder):
    head = {"model.heads.mpfc.1.weight": np.ones([2, 2], np.float32)}
    both = {name: np.ones(2, np.float32) for name in (IMAGE_STEM, WORDS)}
    write_torch_file(folder / "model.pth", {"model": {**both, **head}})
    assert tasks_there(str(folder / "model.pth"), CONFIG) == ("mpfc",)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"config": None}, "is for a new model: --model_config is needed.*model_config=None"),
        ({"start": "resnet.pth"}, "Received: .*pretrain_model_name_or_path=.*resnet.pth"),
        ({"config": "mvlt.json"}, "needs a model whose image encoder.*Received: a mvlt"),
        ({"image": "new.json"}, "must be a .pth or .safetensors file of a ResNet"),
        ({"image": "deep.pth"}, r"image_depths \[1, 1, 1, 1\], there \[1, 1, 2, 1\]"),
        ({"start": "tanh"}, "hidden_gelu erf there, tanh in BERT"),
    ],
)
def test_slips_are_refused(folder, given, message):
    write_torch_file(folder / "deep.pth", resnet((1, 1, 2, 1)))
    text_encoders.write(folder / "tanh", text_encoders.draw(), hidden_act="gelu_new")
    with pytest.raises(InputError, match=message):
        trained(folder, **given)

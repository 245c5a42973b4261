"""A state dict as --pretrain_model_name_or_path: of an image network, and of a model."""

import json

import numpy as np
import pytest

from kaleido_tf.command_line.model_source import model_to_train, tasks_there
from kaleido_tf.errors import InputError
from kaleido_tf.files.safetensors_file import write_safetensors
from kaleido_tf.text import DEFAULT_VOCABULARY
from tests import pixel_records
from tests.torch_files import write_torch_file

CONFIG = pixel_records.tiny_mvlt()
WORDS = {"text_embeddings.word_embeddings.weight": np.ones([3, 2], np.float32)}


def pyramid(depths=CONFIG.depths) -> dict[str, np.ndarray]:
    """The names of a PVT; its numbers are looked at by the model alone."""
    names = [
        f"block{stage}.{number}.norm1.bias"
        for stage, depth in enumerate(depths, 1)
        for number in range(depth)
    ]
    return {name: np.ones(3, np.float32) for name in ("patch_embed1.proj.weight", *names)}


@pytest.fixture
def folder(tmp_path):
    pixel_records.write(tmp_path / "records", 3)
    content = {key: value for key, value in CONFIG.to_dict().items() if key != "vocab_size"}
    (tmp_path / "mvlt.json").write_text(json.dumps(content))
    (tmp_path / "other.json").write_text(json.dumps({"model_type": "kaleidobert"}))
    return tmp_path


def trained(folder, start, config="mvlt.json"):
    given = config and str(folder / config)
    records = str(folder / "records")
    return model_to_train(str(start), given, str(folder / "run"), records, CONFIG.text_seq_len)


def test_image_network_starts_a_new_model(folder):
    start = folder / "pvt.pth"
    write_torch_file(start, pyramid())
    source = trained(folder, start)
    assert source.config == CONFIG and source.start == str(start)
    assert source.vocabulary == str(folder / "records" / "vocab.txt")


def test_a_config_beside_an_image_network_is_not_its_own(folder):
    (folder / "nets").mkdir()
    (folder / "nets" / "config.json").write_text('{"model_type": "mvlt"}')
    write_safetensors(folder / "nets" / "pvt.safetensors", pyramid(), {})
    source = trained(folder, folder / "nets")
    assert source.config == CONFIG
    assert source.start == str(folder / "nets" / "pvt.safetensors")


def test_model_without_a_config_starts_a_new_one_and_with_it_is_trained_on(folder):
    (folder / "release").mkdir()
    start = folder / "release" / "checkpoint.pth"
    heads = {"t2i_head.score.0.weight": np.ones(2, np.float32)}
    write_torch_file(start, {"model": {**pyramid(), **WORDS, **heads}})
    assert trained(folder, start).config == CONFIG
    longer = {**CONFIG.to_dict(), "num_categories": 7}
    (folder / "release" / "config.json").write_text(json.dumps(longer))
    vocabulary = folder / "release" / "vocab.txt"
    vocabulary.write_bytes(DEFAULT_VOCABULARY.read_bytes())
    source = trained(folder, start)
    assert source.config.num_categories == 7 and source.start == str(start)
    assert source.vocabulary == str(vocabulary)
    assert tasks_there(source.start, source.config) == ("image",)


def test_slips_are_refused(folder):
    start = folder / "pvt.pth"
    write_torch_file(start, pyramid((3, 4, 6, 3)))
    with pytest.raises(InputError, match=r"pvt.pth needs --model_config \(a config.json\)"):
        trained(folder, start, config=None)
    with pytest.raises(InputError, match="no model of type kaleidobert starts .*other.json"):
        trained(folder, start, config="other.json")
    with pytest.raises(
        InputError, match=r"\(depths 1, 2, 1, 1\). .*pvt.pth holds one of size small"
    ):
        trained(folder, start)

"""Which ONNX files are taken, and what is said of those that are not."""

import hashlib
import sys

import numpy as np
import pytest
from onnx import TensorProto

from data_prep.onnx_graphs.graph import OnnxGraph
from kaleido_tf.errors import InputError
from tests.onnx_networks import Network

FLOAT = TensorProto.FLOAT


def test_graph_says_its_shape_type_outputs_and_metadata(tmp_path):
    path = Network(shape=(1, 3, 24, 40), metadata={"author": "a"}).save(tmp_path / "n.onnx")
    graph = OnnxGraph(path, "--flag")
    assert graph.shape == [1, 3, 24, 40] and graph.dtype is np.float32
    assert list(graph.outputs) == ["features", "map"] and graph.metadata == {"author": "a"}
    assert graph.digest == hashlib.sha256((tmp_path / "n.onnx").read_bytes()).hexdigest()


@pytest.mark.parametrize("batch", ["n", 1])
def test_many_images_go_through_in_parts_that_fit_into_memory(tmp_path, monkeypatch, batch):
    monkeypatch.setattr("data_prep.onnx_graphs.graph._PIXELS_A_RUN", 2 * 16 * 24)
    monkeypatch.setattr("data_prep.onnx_graphs.graph._CORES", 2)
    network = Network(shape=(batch, 3, "h", "w"))
    graph = OnnxGraph(network.save(tmp_path / "n.onnx"), "--flag")
    images = np.random.default_rng(1).normal(size=[5, 3, 16, 24]).astype(np.float32)
    maps, features = graph.run(images, ["map", "features"])
    by_hand = network.by_hand(images.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(maps.transpose(0, 2, 3, 1), by_hand, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features, by_hand.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"hello, this is a text\n", bytes(range(256)) * 9])
def test_what_is_no_onnx_file(tmp_path, content):
    path = tmp_path / "n.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="--flag: an ONNX file .*is needed. Received: .*n.onnx"):
        OnnxGraph(path, "--flag")


def test_missing_and_cut_off_files(tmp_path):
    with pytest.raises(InputError, match="--flag: an ONNX file is needed. Not found: gone.onnx"):
        OnnxGraph("gone.onnx", "--flag")
    path = tmp_path / "n.onnx"
    Network().save(path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match="Received: .*n.onnx, .* bytes that are none"):
        OnnxGraph(path, "--flag")


def test_weights_beside_the_file_are_needed_and_count(tmp_path):
    path = tmp_path / "n.onnx"
    Network().save(path, save_as_external_data=True, location="n.data", size_threshold=999)
    digest, weights = OnnxGraph(path, "--flag").digest, (tmp_path / "n.data").read_bytes()
    assert digest != hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "n.data").write_bytes(weights[::-1])
    assert OnnxGraph(path, "--flag").digest != digest
    (tmp_path / "n.data").unlink()
    with pytest.raises(InputError, match="keeps weights in the file n.data, which is needed"):
        OnnxGraph(path, "--flag")


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"more_inputs": (("ids", FLOAT, ["n", 7]),)},
            r"one input, a batch of images .* pixels tensor\(float\) \['n', 3, 'h', 'w'\], ids",
        ),
        ({"shape": (4, 3, 16, 24)}, "takes exactly 4 images .*dynamic batch axis"),
        ({"dtype": TensorProto.INT32}, r"has the inputs: pixels tensor\(int32\)"),
    ],
)
def test_inputs_that_are_not_one_batch_of_images(tmp_path, changes, message):
    path = Network(**changes).save(tmp_path / "n.onnx")
    with pytest.raises(InputError, match=message):
        OnnxGraph(path, "--flag")


def test_size_that_cannot_be_run_is_named(tmp_path):
    graph = OnnxGraph(Network().save(tmp_path / "n.onnx"), "--flag")
    with pytest.raises(InputError, match=r"could not be run on images of shape \[1, 3, 4, 5\]"):
        graph.run(np.zeros([2, 3, 4, 5], np.float32), ["map"])


def test_without_onnxruntime(tmp_path, monkeypatch):
    path = Network().save(tmp_path / "n.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"needs onnxruntime: pip install -e \"\.\[onnx\]\""):
        OnnxGraph(path, "--flag")

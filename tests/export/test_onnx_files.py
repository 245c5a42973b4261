import numpy as np
import onnx
import onnxruntime
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.export import onnx_files
from kaleido_tf.export.model_graph import ModelGraph
from kaleido_tf.export.onnx_files import check_onnx_there, write_onnx
from kaleido_tf.export.signatures import prepared_signatures
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from tests.models_to_export import COMPARES, photos_for, texts_for, tiny

KINDS = {
    "kaleido that compares": (KaleidoBertConfig, COMPARES),
    "fashion": (FashionBertConfig, {"matching_similarity": True}),
}


@pytest.fixture(scope="module", params=KINDS)
def written(request, tmp_path_factory):
    """(the model's graph, the model, the folder, the differences that were found)"""
    folder = tmp_path_factory.mktemp("onnx")
    family, changes = KINDS[request.param]
    model = tiny(family, **changes)
    graph = ModelGraph(model, 0)
    signatures = prepared_signatures(graph)
    _, differences = write_onnx(folder, signatures, graph.text_length, graph.word_ids)
    return graph, model, folder, differences


def session(folder, name):
    return onnxruntime.InferenceSession(str(folder / f"{name}.onnx"))


def test_every_batch_and_every_length_of_text(written):
    graph, model, folder, differences = written
    text, photo, match = (
        session(folder, name)
        for name in ("text_from_ids", "photo_from_features", "match_from_features")
    )
    for length in range(1, graph.text_length + 1):
        for count in (1, 7):
            ids, (features, boxes) = texts_for(model, count, length), photos_for(model, count)
            photos = {"patch_features": features, "patch_boxes": boxes}
            photos = {k: v for k, v in photos.items() if k in {i.name for i in photo.get_inputs()}}
            both = {"token_ids": ids, **photos}
            if model.compares:
                both["match_hubness"] = np.linspace(-1, 1, count).astype(np.float32)
            expected = graph.pair(ids, features, boxes, both.get("match_hubness"))["score"]
            np.testing.assert_allclose(match.run(["score"], both)[0], expected, atol=1e-4)
            vectors = text.run(["vector"], {"token_ids": ids})[0]
            np.testing.assert_allclose(vectors, graph.text(ids)["vector"], atol=1e-5)
            vectors = photo.run(["vector"], photos)[0]
            expected = graph.photo(features, boxes)["vector"]
            np.testing.assert_allclose(vectors, expected, atol=1e-5)
    found = [value for outputs in differences.values() for value in outputs.values()]
    assert max(found) < 1e-5 and (len(differences) == 5) == model.compares


def test_files_say_their_axes_and_pass_the_checker(written):
    graph, _, folder, _ = written
    for path in folder.glob("*.onnx"):
        onnx.checker.check_model(str(path), full_check=True)
    value = session(folder, "text_from_ids").get_inputs()[0]
    assert (value.name, value.shape) == ("token_ids", ["batch", "length"])
    [score] = [o for o in session(folder, "match_from_features").get_outputs() if o.name == "score"]
    assert score.shape == ["batch"]


def test_a_file_with_other_numbers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(onnx_files.TOLERANCES, "vector", -1.0)
    graph = ModelGraph(tiny(), 0)
    with pytest.raises(InputError, match=r"text_from_ids.onnx: `vector` must be TensorFlow's"):
        write_onnx(tmp_path, prepared_signatures(graph), 3, graph.word_ids)


def test_without_the_extra_one_message_says_what_to_install(monkeypatch):
    check_onnx_there()
    monkeypatch.setattr(onnx_files.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"needs tf2onnx and onnxruntime: pip install -e \"\.\[exp"
    ):
        check_onnx_there()

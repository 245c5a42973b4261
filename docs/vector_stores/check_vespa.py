"""Holds what Vespa is told to compute against the project's own second look: `python -m
docs.vector_stores.check_vespa --vespa=vespa --questions=questions.jsonl --index=index
--model=model --records=records/valid`.

The expressions of `vespa/schemas/product.sd` are followed here with NumPy and onnxruntime, on the
documents of `feed.jsonl` and the model in the package; Vespa itself does not run.

N = documents, V = views of a photo, P = patches, F = numbers a patch.
"""

import json
import pathlib
import re

import numpy as np
from absl import flags

from docs.vector_stores.exported import session
from docs.vector_stores.rows import asked
from kaleido_tf.command import run_command
from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.serving.recorded_photos import RecordedPhotos
from kaleido_tf.serving.reranking import Reranking

RERANKED, SHOWN = 50, 10
flags.DEFINE_string("vespa", None, "What docs.vector_stores.vespa_feed wrote.", required=True)
flags.DEFINE_string("questions", None, "What docs.vector_stores.questions wrote.", required=True)
flags.DEFINE_string("index", None, "The index, each product with one photo.", required=True)
flags.DEFINE_string("model", None, "Folder or checkpoint of the model.", required=True)
flags.DEFINE_string("records", None, "Records of the index's photos.", required=True)
FLAGS = flags.FLAGS


def main(_):
    """See the module."""
    package, index, model = _Package(FLAGS.vespa), open_index(FLAGS.index), VectorModel(FLAGS.model)
    ours = Reranking(model, RecordedPhotos([model.open_table(FLAGS.records)]))
    questions = [json.loads(line) for line in read_lines(FLAGS.questions)]
    same, apart, largest = 0, 0.0, 0.0
    for question in questions:
        found = package.best(question)
        query = model.of_words([question["text"]])
        items = [index.items[row] for row in ExactSearch(index).search(query, RERANKED)[0][0]]
        order, scores = ours.best_first(items, question["text"], None)
        expected = [items[place]["image_id"] for place in order]
        same += [name for name, _ in found[:SHOWN]] == expected[:SHOWN]
        near = np.array([dict(found).get(name, np.inf) for name in expected])
        apart = max(apart, float(np.abs(near - scores).max()))
        largest = max(largest, float(np.abs(scores).max()))
    print(
        f"the same {SHOWN} products for {same} of {len(questions)}, the scores of {RERANKED} within"
        f" {apart:.1e} (the largest is {largest:.3g})"
    )


class _Package:
    """The documents and the model of a folder that `vespa_feed` wrote."""

    def __init__(self, folder: str):
        path = pathlib.Path(folder)
        schema = (path / "application/schemas/product.sd").read_text(encoding="utf-8")
        found = re.search(r"patch_features type tensor<float>\(d0\[(\d+)],d1\[(\d+)],d2", schema)
        self.views, self.patches = map(int, found.groups())
        lines = read_lines(path / "feed.jsonl")
        self.documents = [json.loads(line)["fields"] for line in lines]
        self.vectors = np.array([d["vector"]["values"] for d in self.documents], np.float32)
        self.model = session(path / "application/files/match_from_features.onnx")

    def best(self, question: dict) -> list[tuple[str, float]]:
        """Ids and second-phase scores of the best photos of the first phase."""
        first = self.vectors @ np.array(asked(question["query"]), np.float32)
        places = np.argsort(-first, kind="stable")[:RERANKED]
        scores = [self._second(self.documents[place], question) for place in places]
        order = np.argsort(-np.array(scores), kind="stable")
        return [(self.documents[places[n]]["id"], scores[n]) for n in order]

    def _second(self, document: dict, question: dict) -> float:
        values = {name: value["values"] for name, value in document.items() if "values" in value}
        shape, ids = [self.views, self.patches, -1], np.array(question["token_ids"], np.int32)
        features = np.frombuffer(bytes.fromhex(values["patch_features"]), ">f4")
        hubness = np.array(values["photo_match_hubness"]) + question["text_match_hubness"]
        inputs = {
            "token_ids": np.tile(ids, [self.views, 1]),
            "patch_features": features.astype(np.float32).reshape(shape),
            "patch_boxes": np.array(values["patch_boxes"], np.int32).reshape(shape),
            "match_hubness": hubness.astype(np.float32),
        }
        return float(self.model.run(["score"], inputs)[0].mean())


if __name__ == "__main__":
    run_command(main)

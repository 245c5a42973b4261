"""An ONNX folder of `--mode=export` (docs/export.md), asked with onnxruntime."""

import functools
import pathlib

import numpy as np

from docs.vector_stores.rows import client_library
from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object

NEEDED = {"text_from_ids", "match_from_features", "text_match_hubness", "photo_match_hubness"}


class Exported:
    """Attributes: text_length: S. feature_size: numbers a patch. digest: of the model.

    Raises: InputError for another folder, or a model that does not compare words with patches.
    """

    def __init__(self, folder: str):
        self.folder = pathlib.Path(folder)
        said = read_json_object(self.folder / "signatures.json")
        if not NEEDED.issubset(said["signatures"]):
            raise InputError(
                "--exported must be of --mode=export --format=onnx and a model that compares words"
                f" with patches. Received: {folder} with {', '.join(said['signatures'])}"
            )
        self.text_length, self.digest = said["text_length"], said["model_digest"]
        features = said["signatures"]["match_from_features"]["inputs"]["patch_features"]
        self.feature_size = features["shape"][-1]

    def path(self, signature: str) -> pathlib.Path:
        """Its ONNX file."""
        return self.folder / f"{signature}.onnx"

    def ask(self, signature: str, output: str, **inputs: np.ndarray) -> np.ndarray:
        """One output of a signature, for inputs by name."""
        return self._session(signature).run([output], inputs)[0]

    @functools.cache  # noqa: B019, one is open as long as the command runs
    def _session(self, signature: str):
        return session(self.path(signature))


def session(path: pathlib.Path):
    """An ONNX file, opened on the processor."""
    runtime = client_library("onnxruntime", "onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # not what it tidies away
    return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

"""An ONNX file of an image network: opened, checked and run by onnxruntime.

N = images, h, w = their size in pixels. Nothing stored in a file is executed but the operators that
onnxruntime itself brings.
"""

import concurrent.futures
import hashlib
import importlib
import math
import os
import pathlib
import re
from collections.abc import Callable

import numpy as np

from data_prep.onnx_graphs.external_data import external_files
from kaleido_tf.errors import InputError

DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
_PIXELS_A_RUN = 2**18
"""Images that go through a core together have so many pixels at most: some 100 MB in a common
network.
"""
_CORES = os.cpu_count() or 1
_READ_AT_ONCE = 2**24
_QUIET = 4  # what onnxruntime would print beside the message that is raised


class OnnxGraph:
    """A graph with one image input.

    Args: path: the ONNX file. flag: that named it, for messages.

    Attributes:
      shape: of the input, four numbers, or names or None where any number will do; dtype of the
        input. outputs: name -> shape as the file states it. metadata: texts by name that the file
        brings. digest: sha256 over the file and those that its weights lie in.
    Raises: InputError for a file that is missing or no ONNX file, weights that are missing beside
      it, another input than one batch of images, or without onnxruntime.
    """

    def __init__(self, path: str | os.PathLike, flag: str):
        self.path, self.flag = str(path), flag
        runtime = _runtime(flag)
        self.digest = _digest(pathlib.Path(path), flag)
        options = runtime.SessionOptions()
        options.log_severity_level = _QUIET
        options.intra_op_num_threads = 1  # see `run`
        try:
            self._session = runtime.InferenceSession(
                self.path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # a class for each status, with Exception alone above them
            raise InputError(
                f"{flag}: an ONNX file that onnxruntime {runtime.__version__} can run is needed."
                f" Received: {path} ({_reason(error)})"
            ) from error
        self._input = self._one_image_input()
        self.shape = list(self._input.shape)
        self.dtype = DTYPES[self._input.type]
        self.outputs = {output.name: output.shape for output in self._session.get_outputs()}
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def _one_image_input(self):
        inputs = self._session.get_inputs()  # without those that have a default
        listed = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs) or "none"
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in DTYPES:
            raise InputError(
                f"{self.flag}: a network with one input, a batch of images of four dimensions"
                f" (float32, float16, float64 or uint8), is needed. {self.path} has the inputs:"
                f" {listed}. Export the image part alone"
            )
        batch = inputs[0].shape[0]
        if isinstance(batch, int) and batch != 1:
            raise InputError(
                f"{self.flag}: a batch of any size, or of 1, is needed. {self.path} takes exactly"
                f" {batch} images ({listed}): export it with a dynamic batch axis"
            )
        return inputs[0]

    @property
    def one_at_a_time(self) -> bool:
        """Whether the graph takes a single image only."""
        return self.shape[0] == 1

    def run(
        self,
        images: np.ndarray,
        outputs: list[str],
        prepare: Callable[[np.ndarray], np.ndarray] = np.asarray,
    ) -> list[np.ndarray]:
        """[N, ...] images -> each of the named outputs, [N, ...] as it comes.

        Some images at a time, on as many cores as there are: each core its own images, since
        several on the same ones would wait for each other.
        Args: prepare: images -> what the input takes.
        Raises: InputError if the graph cannot be run on images of this size.
        """
        pixels = math.prod(images.shape[1:]) // 3
        size = max(1, min(_PIXELS_A_RUN // pixels, -(-len(images) // _CORES)))
        size = 1 if self.one_at_a_time else size
        starts = range(0, len(images), size)
        with concurrent.futures.ThreadPoolExecutor(_CORES) as pool:
            parts = list(
                pool.map(
                    lambda n: self.run_together(prepare(images[n : n + size]), outputs), starts
                )
            )
        return parts[0] if len(parts) == 1 else [np.concatenate(arrays) for arrays in zip(*parts)]

    def run_together(self, images: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
        """Prepared images in one batch -> each of the outputs. Raises: InputError as `run`."""
        try:
            return self._session.run(outputs, {self._input.name: images})
        except Exception as error:  # as above
            raise InputError(
                f"{self.flag}: {self.path} could not be run on images of shape"
                f" {list(images.shape)} ({_reason(error)})"
            ) from error


def _runtime(flag: str):
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise InputError(
            f'{flag} of an ONNX file needs onnxruntime: pip install -e ".[onnx]" (or pip install'
            f" onnxruntime). Received: {error}"
        ) from error


def _digest(path: pathlib.Path, flag: str) -> str:
    if not path.is_file():
        raise InputError(f"{flag}: an ONNX file is needed. Not found: {path}")
    content = path.read_bytes()
    digest = hashlib.sha256(content)
    try:
        names = external_files(content)
    except ValueError as error:
        raise InputError(
            f"{flag}: an ONNX file is needed. Received: {path}, {len(content)} bytes that are none"
            f" ({error})"
        ) from error
    for name in names:
        place = path.parent / name
        if not place.is_file():
            raise InputError(
                f"{flag}: {path} keeps weights in the file {name}, which is needed beside it. Not"
                f" found: {place}"
            )
        digest.update(name.encode())
        with place.open("rb") as stream:
            for part in iter(lambda: stream.read(_READ_AT_ONCE), b""):
                digest.update(part)
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    """What onnxruntime says of the cause, in one line and without its own file names."""
    text = " ".join(str(error).split())
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : |\S*onnxruntime\S*\.(cc|h):\d+ \S*", "", text)
    return text[:300]

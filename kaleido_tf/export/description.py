"""`signatures.json`: what lies in an exported folder, for those who have nothing else of us."""

import pathlib

from kaleido_tf.export.signatures import AXES, Signature
from kaleido_tf.files.whole_files import write_bytes, write_json

NAME, VOCABULARY = "signatures.json", "vocab.txt"
VERSION = 1


def describe(
    folder: pathlib.Path,
    signatures: dict[str, Signature],
    outputs: dict[str, dict],
    about: dict,
    vocabulary: bytes,
) -> None:
    """Writes it, and the word pieces, into an export's folder.

    Args: outputs: of each signature, name -> TensorSpec. about: of the model and its photos.
    """
    listed = {
        name: {
            "meaning": signature.meaning,
            "inputs": {spec.name: _form(spec, spec.name) for spec in signature.inputs},
            "outputs": {key: _form(spec, key) for key, spec in sorted(outputs[name].items())},
        }
        for name, signature in signatures.items()
    }
    write_json(folder / NAME, {"export_version": VERSION, **about, "signatures": listed})
    write_bytes(folder / VOCABULARY, vocabulary)


def _form(spec, name: str) -> dict:
    axes = iter(AXES.get(name, ("batch",)))
    shape = [next(axes, "any") if size is None else size for size in spec.shape]
    return {"dtype": spec.dtype.name, "shape": shape}

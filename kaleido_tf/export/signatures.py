"""What an exported model can be asked: names, inputs and outputs, in one place for both formats.

B = texts, photos or pairs, L = places of texts, S = the model's text length, P = patches, F =
feature size.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from kaleido_tf.export.model_graph import ModelGraph, Outputs
from kaleido_tf.export.text_graph import TextGraph

PhotoGraph = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""Bytes of photos [B] -> patch features [B, P, F] float32 and boxes [B, P, 5] int32."""
AXES = {"token_ids": ("batch", "length")}
"""Names of the axes of any size, where there is more than the batch."""


@dataclasses.dataclass(frozen=True)
class Signature:
    """One question.

    Attributes: inputs: of `answer`, in its order. answer: tensors -> outputs by name. meaning: a
      line for readers.
    """

    inputs: tuple[tf.TensorSpec, ...]
    answer: Callable[..., Outputs]
    meaning: str

    def function(self):
        """A concrete function of the inputs by name."""
        return tf.function(lambda *given: self.answer(*given), self.inputs, autograph=False)


def prepared_signatures(model: ModelGraph) -> dict[str, Signature]:
    """Those that begin with word piece ids and patch features, by name."""
    ids = tf.TensorSpec([None, None], tf.int32, "token_ids")
    features, boxes = (
        tf.TensorSpec(shape, dtype, name)
        for name, shape, dtype in zip(
            ("patch_features", "patch_boxes"), model.photo_shapes, (tf.float32, tf.int32)
        )
    )
    found = {
        "text_from_ids": Signature((ids,), model.text, "word piece ids to their text's vector"),
        "photo_from_features": Signature(
            (features, boxes), model.photo, "patch features to their photo's vector"
        ),
    }
    pair, meaning = (ids, features, boxes), "how well each text matches the photo at its place"
    if not model.compares:
        return found | {"match_from_features": Signature(pair, model.pair, meaning)}
    hubness = tf.TensorSpec([None], tf.float32, "match_hubness")
    return found | {
        "text_match_hubness": Signature(
            (ids,),
            lambda *given: {"match_hubness": model.text_hubness(*given)},
            "a text's part in `match_hubness`",
        ),
        "photo_match_hubness": Signature(
            (features, boxes),
            lambda *given: {"match_hubness": model.photo_hubness(*given)},
            "a photo's part in `match_hubness`",
        ),
        "match_from_features": Signature(
            (*pair, hubness), model.pair, f"{meaning}, given the sum of both parts of their hubness"
        ),
    }


def text_signatures(model: ModelGraph, texts: TextGraph) -> dict[str, Signature]:
    """Those that begin with strings, by name."""
    strings = (tf.TensorSpec([None], tf.string, "texts"),)
    return {
        "text": Signature(
            strings, lambda given: model.text(texts(given)), "a text in UTF-8 to its vector"
        ),
        "token_ids": Signature(
            strings, lambda given: {"token_ids": texts(given)}, "a text to its word piece ids"
        ),
    }


def photo_signatures(
    model: ModelGraph, texts: TextGraph, photos: PhotoGraph
) -> dict[str, Signature]:
    """Those that begin with the bytes of photos, by name."""
    strings, files = (tf.TensorSpec([None], tf.string, name) for name in ("texts", "photos"))

    def features(given):
        found, boxes = photos(given)
        return {"patch_features": found, "patch_boxes": boxes}

    return {
        "photo": Signature(
            (files,),
            lambda given: model.photo(*photos(given)),
            "the bytes of a JPEG or PNG to the photo's vector",
        ),
        "features": Signature((files,), features, "the bytes of a photo to its patches' features"),
        "match": Signature(
            (strings, files),
            lambda given, bytes_of: model.pair(texts(given), *photos(bytes_of)),
            "how well each text matches the photo at its place",
        ),
    }

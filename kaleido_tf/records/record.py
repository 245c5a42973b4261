"""The record of one product image: one truth for its writer (`data_prep`) and its reader
(`kaleido_tf.data`).

A record is a `tf.train.Example`; docs/records.md describes it for other readers. B = records, F =
feature size. How features are stored says `feature_storage.py`. Records of pixels hold the photo
instead (`photo.py`).
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from kaleido_tf import patches
from kaleido_tf.records.feature_storage import SCALES, STORAGES, restored, stored
from kaleido_tf.records.views import PLAIN

RECORD_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Layout:
    """What of an image a record holds: patches, or pixels.

    Attributes:
      name: as `dataset.json` says it.
      sides: patches a side of each grid; all grids' patches, one grid after the other, row by row,
        are `patch_features`. () of pixels.
      blocks: name -> rows of its feature blocks; each row is F numbers. {} of pixels.
      size_key: what `dataset.json` calls the size that all its records share, a number.
    """

    name: str
    sides: tuple[int, ...]
    blocks: Mapping[str, int]
    size_key: str = "feature_size"

    @property
    def holds_pixels(self) -> bool:
        """Whether its records hold the photo itself."""
        return not self.blocks

    @property
    def content(self) -> tuple[str, ...]:
        """The fields that hold the image."""
        return tuple(self.blocks) or ("photo",)

    @property
    def num_patches(self) -> int:
        """P, the patches of a photo; 0 of pixels."""
        return self.blocks.get("patch_features", 0)

    def boxes(self, width: int, height: int) -> np.ndarray:
        """The boxes of all patches of a crop: [P, 5] int32, as `patches.level_boxes`."""
        return np.concatenate([patches.level_boxes(width, height, side) for side in self.sides])


KALEIDO = Layout(
    "kaleido",
    patches.LEVELS,
    {
        "patch_features": patches.NUM_PATCHES,  # the 55 patches, level by level
        "rotated_features": len(patches.ROTATIONS) - 1,  # level 1 turned by 90, 180, 270 degrees
        "grey_features": patches.NUM_GREY_PATCHES,  # the sixteen patches of level 4 in grey
    },
)
GRIDS = {
    side: Layout(f"grid_{side}x{side}", (side,), {"patch_features": side * side}) for side in (4, 8)
}
"""FashionBERT's layouts by patches a side: 8 in the paper, 4 in the released extractor."""
PIXELS = Layout("pixels", (), {}, size_key="image_size")
"""Of families that read photos: each is a square of `image_size` pixels a side."""
LAYOUTS = {layout.name: layout for layout in (KALEIDO, *GRIDS.values(), PIXELS)}

FIXED = {
    "record_version": tf.io.FixedLenFeature([], tf.int64),
    "product_id": tf.io.FixedLenFeature([], tf.string),
    "image_id": tf.io.FixedLenFeature([], tf.string),
    "text": tf.io.FixedLenFeature([], tf.string),
    "title": tf.io.FixedLenFeature([], tf.string),
    "category_id": tf.io.FixedLenFeature([], tf.int64),
    "subcategory_id": tf.io.FixedLenFeature([], tf.int64),
    "image_size": tf.io.FixedLenFeature([2], tf.int64),  # width, height of the photo in pixels
    "crop_box": tf.io.FixedLenFeature([4], tf.int64),  # x1, x2, y1, y2 in its pixels, half-open
}
"""The fields of one number or text that every record has."""
VIEW = {"view": tf.io.FixedLenFeature([], tf.int64, default_value=PLAIN)}
"""Absent from the plain view, and so from all records of before there were others."""
SHARED = {
    "photo_of": tf.io.FixedLenFeature([], tf.string, default_value=""),
    "photo_bytes": tf.io.FixedLenFeature([], tf.int64, default_value=0),
}
"""Whose photo a record shows (an image id; "": its own), and how long the photo is where others
show it, too; see `shared_photos`.
"""

_OF_PHOTO = (
    *("patch_boxes", "photo", "photo_encoding"),
    *(name + end for name in KALEIDO.blocks for end in ("", SCALES)),
)
"""The fields of any layout that are the photo's alone, whatever product shows it."""


class Record:
    """One record as Python sees it: fields by name, its features as they are stored until a block
    is asked for.

    Args: example: a record of any layout, which the view takes over.
    """

    def __init__(self, example: tf.train.Example):
        self._features = example.features.feature

    @classmethod
    def parse(cls, serialized: bytes) -> "Record":
        """Raises: google.protobuf.message.DecodeError, or ValueError naming a field that is
        missing.
        """
        record = cls(tf.train.Example.FromString(serialized))
        missing = [name for name in FIXED if name not in record._features]
        if missing:
            raise ValueError(f"no {', '.join(missing)} in it")
        return record

    @property
    def product_id(self) -> str:
        """The catalogue's id of the product."""
        return self._text("product_id")

    @property
    def image_id(self) -> str:
        """The catalogue's id of the photo."""
        return self._text("image_id")

    @property
    def view(self) -> int:
        """Which view of the photo it holds: its place in `views.VIEWS`."""
        return self._ints("view")[0] if "view" in self._features else PLAIN

    @property
    def subcategory_id(self) -> int:
        """Index into `subcategories` of `dataset.json`."""
        return self._ints("subcategory_id")[0]

    @property
    def title(self) -> str:
        """The product's title."""
        return self._text("title")

    @property
    def boxes(self) -> np.ndarray:
        """[P, 5] int64: x1, x2, y1, y2 and area of each patch, in pixels of the crop."""
        return np.array(self._ints("patch_boxes"), np.int64).reshape(-1, 5)

    @property
    def text(self) -> str:
        """What the product is described by, as the model reads it."""
        return self._text("text")

    @property
    def token_ids(self) -> list[int]:
        """WordPiece ids of `text`, without [CLS] and [SEP]."""
        return self._ints("token_ids")

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the photo in pixels."""
        return tuple(self._ints("image_size"))

    @property
    def crop_box(self) -> tuple[int, int, int, int]:
        """x1, x2, y1, y2 in pixels of the photo, half-open."""
        return tuple(self._ints("crop_box"))

    @property
    def alignments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens, patches [A] int64 and scores [A] float32 of the aligned pairs."""
        scores = self._features["alignment_scores"].float_list.value
        return (
            np.array(self._ints("alignment_tokens"), np.int64),
            np.array(self._ints("alignment_patches"), np.int64),
            np.array(scores, np.float32),
        )

    def block(self, name: str) -> np.ndarray:
        """[rows, F] float16 of a block of the layout, e.g. `patch_features`.

        Args: name: of `Layout.blocks`; the rows are those of the layout that has the block.
        """
        scales = name + SCALES
        scales = self._features[scales].bytes_list.value[0] if scales in self._features else b""
        return restored(self._features[name].bytes_list.value[0], scales, self._rows(name))

    def _rows(self, name: str) -> int:
        if name != "patch_features":
            return KALEIDO.blocks[name]
        return len(self._ints("patch_boxes")) // 5

    def with_alignments(self, tokens, patches, scores) -> "Record":
        """A copy that holds these pairs ([A] ints, ints, floats) and no others."""
        example = tf.train.Example()
        copy = Record(example)
        for name, feature in self._features.items():
            copy._features[name].CopyFrom(feature)
        for name, feature in _alignment_features(tokens, patches, scores).items():
            copy._features[name].CopyFrom(feature)
        return copy

    @property
    def photo_of(self) -> str:
        """The image id of the record that holds the photo for this one; "" of one with its own."""
        return self._text("photo_of") if "photo_of" in self._features else ""

    @property
    def photo_bytes(self) -> int:
        """How long `photo` is where several records show it; else 0."""
        return self._ints("photo_bytes")[0] if "photo_bytes" in self._features else 0

    @property
    def photo(self) -> bytes:
        """What the record holds of its photo, as a `tf.train.Example`; b"" of one without."""
        if not any(name in self._features for name in _OF_PHOTO):
            return b""
        return self._serialized(lambda name: name in _OF_PHOTO)

    def sharing(self, photo_bytes: int, photo_of: str) -> "Record":
        """The same as one of several that show a photo; see `shared_photos`."""
        self._features["photo_bytes"].CopyFrom(int_feature(photo_bytes))
        if photo_of:
            self._features["photo_of"].CopyFrom(bytes_feature(photo_of.encode()))
        return self

    def without_features(self) -> "Record":
        """The same without its blocks, which are nearly all of its bytes; this one loses them."""
        for name in KALEIDO.blocks:
            self._features.pop(name, None)
            self._features.pop(name + SCALES, None)
        return self

    def serialize(self) -> bytes:
        """The record as a `tf.train.Example`; without its photo where another one holds it."""
        if not self.photo_bytes:
            return serialize_features(self._features)
        product = self._serialized(lambda name: name not in _OF_PHOTO)
        return product if self.photo_of else product + self.photo

    def _serialized(self, is_wanted) -> bytes:
        chosen = {name: value for name, value in self._features.items() if is_wanted(name)}
        return serialize_features(chosen)

    def _text(self, name: str) -> str:
        return self._features[name].bytes_list.value[0].decode()

    def _ints(self, name: str) -> list[int]:
        return list(self._features[name].int64_list.value)


def serialize_features(features: Mapping[str, tf.train.Feature]) -> bytes:
    """A `tf.train.Example` with its features in the order of their names; else that order, and so
    the bytes of a record, would be another in every process.
    """
    example = tf.train.Example(features=tf.train.Features(feature=dict(features)))
    return example.SerializeToString(deterministic=True)


def serialize_record(
    fields: Mapping[str, object], layout: Layout = KALEIDO, storage: str = STORAGES[0]
) -> bytes:
    """One record from its fields; absent alignments are written as empty lists.

    Args: fields: every name of this file. The layout's blocks (`patch_features` [55, F],
      `rotated_features` [3, F], `grey_features` [16, F]) floating; `patch_boxes` [55, 5] int; texts
      str; lists of numbers; `view` only where it is another than the plain one. storage: of
      `STORAGES`.
    Raises: KeyError for a missing field, ValueError for a block of another shape or numbers outside
      float16.
    """
    features = {**product_features(fields), "patch_boxes": int_feature(fields["patch_boxes"])}
    if fields.get("view", PLAIN) != PLAIN:
        features["view"] = int_feature(fields["view"])
    for name, rows in layout.blocks.items():
        values = stored(name, fields[name], rows, storage)
        features |= {field: bytes_feature(value) for field, value in values.items()}
    pairs = [fields.get(f"alignment_{part}", ()) for part in ("tokens", "patches", "scores")]
    features |= _alignment_features(*pairs)
    return serialize_features(features)


def product_features(fields: Mapping[str, object]) -> dict[str, tf.train.Feature]:
    """What records of every layout say of a photo and its product. Raises: KeyError for a missing
    field.
    """
    features = {"record_version": int_feature(RECORD_VERSION)}
    for name in ("product_id", "image_id", "text", "title"):
        features[name] = bytes_feature(str(fields[name]).encode())
    for name in ("category_id", "subcategory_id", "image_size", "crop_box", "token_ids"):
        features[name] = int_feature(fields[name])
    return features


def _alignment_features(tokens, patches, scores) -> dict[str, tf.train.Feature]:
    floats = tf.train.FloatList(value=[float(score) for score in scores])
    return {
        "alignment_tokens": int_feature(tokens),
        "alignment_patches": int_feature(patches),
        "alignment_scores": tf.train.Feature(float_list=floats),
    }


def int_feature(values) -> tf.train.Feature:
    """A number, or an array of numbers of any shape, as a feature of a record."""
    flat = [int(value) for value in np.asarray(values).reshape(-1)]
    return tf.train.Feature(int64_list=tf.train.Int64List(value=flat))


def bytes_feature(value: bytes) -> tf.train.Feature:
    """Bytes as a feature of a record."""
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

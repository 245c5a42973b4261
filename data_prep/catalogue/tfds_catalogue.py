"""Catalogues in TensorFlow Datasets (TFDS): makes one from a manifest, and reads one by its name.

    # once:
    ManifestCatalogue(manifest="shop/products.jsonl", data_dir="~/sets").download_and_prepare()
    # any TFDS user, offline:
    tfds.load("manifest_catalogue", data_dir="~/sets", split="train")
    # this project:
    read_catalogue("tfds:~/sets/manifest_catalogue/1.0.0")

After `tfds:` stands either the folder of a prepared data set (the one with dataset_info.json; this
works for every data set, without its code) or a name, `NAME[/config][:version]`, looked up in
TFDS_DATA_DIR or ~/tensorflow_datasets. Nothing is downloaded. The data set needs the features of
`FEATURES`. Images stay on disk until one is loaded.
"""

import functools
import glob
import itertools
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from google.protobuf import json_format

from data_prep.catalogue.manifest import ManifestEntry, entries_digest, read_entries
from data_prep.catalogue.omissions import Omissions
from data_prep.catalogue.products import Catalogue, ProductImage, make_product, products_digest
from kaleido_tf.errors import InputError
from kaleido_tf.files.images import is_plain, read_image
from kaleido_tf.files.tfrecord_files import HEAD, TAIL, record_starts

FEATURES = ("product_id", "image_id", "image", "title", "description", "category", "subcategory")
_INFO_FILE = "dataset_info.json"
_DESCRIPTION = (
    "Product photos with title, description, category and sub-category, from a JSON-lines manifest."
)


class ManifestCatalogue(tfds.core.GeneratorBasedBuilder):
    """A manifest as a TFDS data set: one example a photo, in the manifest's order, one TFDS split a
    split.

    Photos are checked while it is prepared. Plain JPEG and PNG files are stored byte for byte;
    others (turned by EXIF, transparent, CMYK, WEBP, ...) as the PNG of their pixels, so that every
    decoder sees what `read_image` sees.

    Args:
      manifest: path of the manifest; needed to prepare the data set, not to read it again.
      kwargs: of the base class, e.g. `data_dir`, `file_format`.
    Raises: InputError for a bad manifest or image, or if `data_dir` holds another manifest's data.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    # Said here, since TFDS 4.9.10 looks for it with a package (importlib_resources) that it does
    # not always install.
    code_path = pathlib.Path(__file__)

    def __init__(self, *, manifest: str | None = None, **kwargs):
        self._entries = read_entries(os.path.expanduser(manifest)) if manifest else ()
        self.manifest = manifest
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        texts = {name: tfds.features.Text() for name in FEATURES if name != "image"}
        digest = {"digest": entries_digest(self._entries)} if self._entries else {}
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {**texts, "image": tfds.features.Image(shape=(None, None, 3))}
            ),
            metadata=tfds.core.MetadataDict(digest),
            # keeps the photos of a product together, and the catalogue's order
            disable_shuffling=True,
        )

    def download_and_prepare(self, **kwargs) -> None:
        """As the base class; first checks that data prepared earlier are of this very manifest."""
        if self._entries and os.path.exists(os.path.join(self.data_dir, _INFO_FILE)):
            there = tfds.builder_from_directory(self.data_dir).info.metadata["digest"]
            if there != entries_digest(self._entries):
                raise InputError(
                    "Needed: a data_dir for this manifest alone (or delete what it holds)."
                    " Received:"
                    f" data of another or of an older manifest. Where: {self.data_dir},"
                    f" {self.manifest}."
                )
        super().download_and_prepare(**kwargs)

    def _split_generators(self, dl_manager) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        del dl_manager  # nothing to download
        if not self._entries:
            raise InputError(
                "Needed: manifest=PATH, to prepare the data set. Received: none. Where:"
                f" {self.data_dir}."
            )
        splits: dict[str, list[ManifestEntry]] = {}
        for entry in self._entries:
            splits.setdefault(entry.product.split, []).append(entry)
            if (
                not re.fullmatch(r"\w+", entry.product.split)
                or entry.product.split.lower() == "all"
            ):
                raise InputError(
                    "Needed: a split of letters, digits and _, and not 'all' (TFDS keeps it for"
                    f" itself). Received: {entry.product.split!r}. Where: {entry.product.where}."
                )
        return {split: self._generate_examples(entries) for split, entries in splits.items()}

    def _generate_examples(
        self, entries: Sequence[ManifestEntry]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        key = 0  # in rising order, which TFDS asks for where it does not shuffle
        for entry in entries:
            product = entry.product
            texts = {
                name: getattr(product, name)
                for name in FEATURES
                if name not in ("image", "image_id")
            }
            for image, path in zip(product.images, entry.paths, strict=True):
                # raises for a bad image, also where the file itself is stored
                pixels = image.load()
                plain = is_plain(path, f"product {product.product_id}, {product.where}")
                yield key, {**texts, "image_id": image.image_id, "image": path if plain else pixels}
                key += 1


def read_tfds(source: str, skip_unusable: bool = False, keep_markup: bool = False) -> Catalogue:
    """Reads a prepared TFDS data set; reads every record once for its texts, and keeps no image.

    Args:
      source: "tfds:FOLDER" or "tfds:NAME[/config][:version]" (see above). The split "validation" is
        called "valid".
      skip_unusable, keep_markup: as `reading.read_catalogue`.
    Raises: InputError if it is not found or prepared, lacks a feature, is damaged, or, unless these
      are left out, holds bad texts, an image twice, or rows of one product in two splits.
    """
    builder = _builder(source)
    _check_features(builder, source)
    reading = _Reading(source, Omissions(skip_unusable))
    for split in builder.info.splits:
        reading.add_split(split, _rows(builder, split, source), builder.info.features)
    return reading.catalogue(keep_markup)


def _rows(builder: tfds.core.DatasetBuilder, split: str, source: str) -> Sequence[dict[str, Any]]:
    """The examples of a split by number, with the image as encoded bytes."""
    decoders = {"image": tfds.decode.SkipDecoding()}
    if builder.info.file_format.value == "tfrecord":
        return _TfRecordRows(builder.info, split, decoders, source)
    try:
        return builder.as_data_source(split, decoders=decoders)
    except NotImplementedError as error:
        raise InputError(
            "Needed: a data set in tfrecord, array_record or parquet files (`tfds convert_format`"
            f" makes them). Received: {builder.info.file_format.value}. Where: {source}."
        ) from error


class _TfRecordRows(Sequence):
    """Random access to TFRecord files, the usual format of TFDS, which its own `as_data_source`
    does not offer.

    All records are read once for their places, and their check sums with them. Raises: InputError
    for a damaged file.
    """

    def __init__(
        self, info: tfds.core.DatasetInfo, split: str, decoders: dict[str, Any], source: str
    ):
        self._features, self._decoders = info.features, decoders
        self._places: list[tuple[str, int, int]] = []  # path, offset and length in bytes
        for path in map(os.fspath, info.splits[split].filepaths):
            try:
                self._add_file(path)
            except InputError as error:
                raise InputError(
                    f"Needed: a whole TFRecord file. Received: {error}. Where: {source}, {path}."
                ) from error
        if len(self) != info.splits[split].num_examples:  # a file may also end between two records
            raise InputError(
                f"Needed: {info.splits[split].num_examples} records, as {_INFO_FILE} says. "
                f"Received: {len(self)}. Where: {source}, split {split}."
            )

    def _add_file(self, path: str) -> None:
        starts = record_starts(path).tolist()
        for start, end in itertools.pairwise(starts):
            self._places.append((path, start + HEAD, end - start - HEAD - TAIL))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> dict[str, Any]:
        path, offset, length = self._places[number]
        with open(path, "rb") as stream:
            stream.seek(offset)
            return self._features.deserialize_example_np(
                stream.read(length), decoders=self._decoders
            )


def _builder(source: str) -> tfds.core.DatasetBuilder:
    name = os.path.expanduser(source.removeprefix("tfds:"))
    if os.path.isdir(name) or name.startswith((".", "/")):
        return _builder_of_folder(name, source)
    if re.match(r"\w+:[a-z]", name):
        raise InputError(
            "Needed: a data set on disk. Received: one of a namespace, which TFDS looks up on the"
            f" network (name its prepared folder instead). Where: {source}."
        )
    try:
        builder = tfds.builder(name)
    # TFDS: any of these
    except (ValueError, TypeError, AttributeError, ImportError, AssertionError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            "Needed: the name of a TFDS data set, or the folder of a prepared one. "
            f"Received: {name!r} ({reason}). Where: {source}."
        ) from error
    if not os.path.exists(os.path.join(builder.data_dir, _INFO_FILE)):
        raise InputError(
            "Needed: a prepared data set (its builder's `download_and_prepare` makes it). "
            f"Received: nothing prepared. Where: {source}, {builder.data_dir}."
        )
    return builder


def _builder_of_folder(folder: str, source: str) -> tfds.core.DatasetBuilder:
    if not os.path.isfile(os.path.join(folder, _INFO_FILE)):
        below = sorted(
            glob.glob(f"{glob.escape(folder)}/*/{_INFO_FILE}")
            + glob.glob(f"{glob.escape(folder)}/*/*/{_INFO_FILE}")
        )
        came = "one without" if os.path.isdir(folder) else "no such folder"
        hint = (
            f" Below it: {', '.join('tfds:' + os.path.dirname(path) for path in below)}."
            if below
            else ""
        )
        raise InputError(
            f"Needed: the folder of a prepared TFDS data set, with {_INFO_FILE}. Received:"
            f" {came}.{hint} Where: {source}."
        )
    try:
        return tfds.builder_from_directory(folder)
    except (ValueError, KeyError, AssertionError, json_format.ParseError) as error:
        raise InputError(
            f"Needed: a whole prepared TFDS data set. Received: {error} Where: {source}."
        ) from error


def _check_features(builder: tfds.core.DatasetBuilder, source: str) -> None:
    features = builder.info.features
    there = sorted(features) if isinstance(features, tfds.features.FeaturesDict) else []
    missing = [name for name in FEATURES if name not in there]
    if missing:
        raise InputError(
            f"Needed: the features {', '.join(FEATURES)}. Received: {', '.join(there) or 'none'} "
            f"(missing: {', '.join(missing)}). Where: {source}."
        )
    if not builder.info.splits:
        raise InputError(
            f"Needed: at least one split. Received: none. Where: {source}, {builder.data_dir}."
        )


class _Reading:
    """Gathers the rows of one data set by product."""

    def __init__(self, source: str, omissions: Omissions):
        self.source, self._omissions = source, omissions
        self._texts: dict[str, dict[str, str]] = {}  # product id -> texts of its first row
        self._where: dict[str, str] = {}  # product id -> place of its first row
        self._images: dict[str, list[ProductImage]] = {}
        self._identities: dict[str, str] = {}  # image id -> its size

    def add_split(
        self, split: str, rows: Sequence[dict[str, Any]], features: tfds.features.FeaturesDict
    ) -> None:
        for number in range(len(rows)):
            with self._omissions.listed():
                self._add_row(split, rows, number, features)

    def _add_row(
        self,
        split: str,
        rows: Sequence[dict[str, Any]],
        number: int,
        features: tfds.features.FeaturesDict,
    ) -> None:
        where = f"{self.source} split {split} row {number}"
        row = rows[number]
        texts = {
            name: _as_text(row[name], features[name], name, where)
            for name in FEATURES
            if name != "image"
        }
        product_id, image_id = texts.pop("product_id"), texts.pop("image_id")
        texts["split"] = "valid" if split == "validation" else split
        self._check_place(product_id, image_id, texts["split"], where)
        self._texts.setdefault(product_id, texts)
        self._where.setdefault(product_id, where)
        self._identities[image_id] = str(len(row["image"]))
        load = functools.partial(_load, rows, number, where)
        image = ProductImage(image_id, where, load, content=functools.partial(_bytes, rows, number))
        self._images.setdefault(product_id, []).append(image)

    def _check_place(self, product_id: str, image_id: str, split: str, where: str) -> None:
        first = self._texts.get(product_id, {"split": split})["split"]
        if first != split:
            raise InputError(
                "Needed: every product in one split."
                f" Received: product {product_id} in {first!r} and"
                f" in {split!r}. Where: {self._where[product_id]} and {where}."
            )
        if image_id in self._identities:
            raise InputError(
                f"Needed: every image_id once. Received: {image_id!r} again. Where: {where}."
            )

    def catalogue(self, keep_markup: bool) -> Catalogue:
        products = []
        for product_id, texts in self._texts.items():
            images, where = self._images[product_id], self._where[product_id]
            with self._omissions.listed():
                products.append(make_product(product_id, images, texts, where, keep_markup))
        if not products:
            raise self._omissions.nothing_left("product", "a data set", self.source)
        digest = products_digest(products, self._identities)
        return Catalogue(self.source, digest, tuple(products), self._omissions.reasons, keep_markup)


def _load(rows: Sequence[dict[str, Any]], number: int, where: str) -> np.ndarray:
    return read_image(_bytes(rows, number), where)


def _bytes(rows: Sequence[dict[str, Any]], number: int) -> bytes:
    return bytes(rows[number]["image"])


def _as_text(value: Any, feature: tfds.features.FeatureConnector, name: str, where: str) -> str:
    """A text feature is UTF-8 bytes; an id may be an integer, and a category a class label."""
    if isinstance(feature, tfds.features.ClassLabel):
        return feature.int2str(int(value))
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"Needed: {name!r} in UTF-8. Received: {error}. Where: {where}."
        ) from error

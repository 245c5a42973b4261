"""Records of patches: the crop at its working size, cut into patches that an image network turns
into features.

F = feature size; h, w = size of a working crop in pixels.
"""

import concurrent.futures
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from data_prep.features.backbones import Backbone, build_backbone, check_backbone_choice
from data_prep.features.patch_features import extract_features
from data_prep.foreground.crops import Crop
from data_prep.foreground.working_crops import cut_crop
from data_prep.record_writing.record_settings import RecordSettings
from kaleido_tf.errors import InputError
from kaleido_tf.records.feature_storage import STORAGES
from kaleido_tf.records.record import KALEIDO, LAYOUTS, serialize_record
from kaleido_tf.records.views import PLAIN, VIEWS, checked_views, pixels_of_view
from kaleido_tf.settings import setting

_BATCHES_AT_ONCE = 2  # one is cut into patches while the other is in the network


@dataclasses.dataclass(frozen=True)
class PatchSettings(RecordSettings):
    """How records of patches are made.

    layout: a name of `record.LAYOUTS`, of patches. patch_size: pixels a side that patches are
      resized to (224 as the original); None: patches keep their own size. The others: as their
      flags say.
    Raises: InputError as `RecordSettings`, and for a backbone without what it needs.
    """

    layout: str = KALEIDO.name
    backbone: str = setting(
        "resnet50",
        "backbone",
        "resnet50, squeezenet, any model of tf_keras.applications, or onnx: any image network in an"
        " ONNX file.",
    )
    backbone_weights: str = setting(
        "imagenet",
        "backbone_weights",
        "imagenet, random, or the path of a Keras HDF5 file; with onnx that of the ONNX file.",
    )
    backbone_preprocessing: str = setting(
        "",
        "backbone_preprocessing",
        "With --backbone=onnx: JSON file of what the graph does not say: channel_order,"
        " value_range, mean, std, sizes, outputs (docs/image_networks.md).",
    )
    patch_size: int | None = None
    crop_size: int = setting(
        256,  # the photo size of Fashion-Gen
        "crop_size",
        "Long side in pixels of the crop that is cut into patches.",
        lowest=64,
    )
    views: tuple[str, ...] = setting(
        (VIEWS[PLAIN],),
        "views",
        "Views of each photo, a record each: plain, and mirrored for its working crop with left and"
        " right exchanged (docs/records.md).",
    )
    feature_storage: str = setting(
        STORAGES[0],
        "feature_storage",
        "float16, or int8 with a scale a vector: half as large (docs/records.md).",
        choices=STORAGES,
    )
    images_per_batch: int = setting(
        16, "images_per_batch", "Images through the backbone at once.", lowest=1
    )

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "views", checked_views(self.views))
        check_backbone_choice(self.backbone, self.backbone_weights, self.backbone_preprocessing)
        if self.patch_size is not None and self.patch_size < 32:
            raise InputError(
                f"--patch_size must be native or at least 32 pixels. Received: {self.patch_size}"
            )


class PatchContent:
    """Patches, as `PhotoContent`.

    Args: backbone: a built one; None builds it from the settings.
    Raises: InputError for a backbone that cannot be built, or does not take such patches.
    """

    def __init__(self, settings: PatchSettings, backbone: Backbone | None = None):
        self.settings = settings
        self._backbone = backbone or build_backbone(
            settings.backbone,
            settings.backbone_weights,
            preprocessing=settings.backbone_preprocessing,
        )
        self._backbone.sizes.check(settings.patch_size, self._backbone.name)
        self._layout = LAYOUTS[settings.layout]
        self._views = [VIEWS.index(name) for name in settings.views]

    @property
    def identity(self) -> dict:
        """The settings, with the digest of the network in place of its files."""
        settings, preprocessing = self.settings, self._backbone.preprocessing
        return {
            "layout": settings.layout,
            "backbone": settings.backbone,
            "patch_size": settings.patch_size or "native",
            "crop_size": settings.crop_size,
            # only where it is asked for: records made before there was a choice stay what they are
            **({"views": list(settings.views)} if len(settings.views) > 1 else {}),
            **self._storage,
            "backbone_digest": self._backbone.digest,
            **({"backbone_preprocessing": preprocessing} if preprocessing else {}),
        }

    @property
    def described(self) -> dict:
        """F, and the shapes of the blocks."""
        size = self._backbone.feature_size
        shapes = {name: [rows, size] for name, rows in self._layout.blocks.items()}
        return {"feature_size": size, "feature_shapes": shapes, **self._storage}

    @property
    def _storage(self) -> dict:
        """Where it is another than it always was."""
        storage = self.settings.feature_storage
        return {} if storage == STORAGES[0] else {"feature_storage": storage}

    @property
    def size_in_words(self) -> str:
        """F."""
        return f"{self._backbone.feature_size} floats a patch"

    def cut(self, image: np.ndarray, crop: Crop) -> np.ndarray:
        """The working crop [h, w, 3] uint8."""
        return cut_crop(image, crop, self.settings.crop_size).pixels

    def fields(self, cuts: Sequence[np.ndarray]) -> list[list[dict]]:
        """Of each view: its number, blocks and boxes."""
        blocks = self._blocks(cuts)
        return [
            [
                {
                    "patch_boxes": self._layout.boxes(pixels.shape[1], pixels.shape[0]),
                    "view": view,
                    **{name: block[number, view] for name, block in blocks.items()},
                }
                for view in self._views
            ]
            for number, pixels in enumerate(cuts)
        ]

    def _blocks(self, cuts: Sequence[np.ndarray]) -> dict[str, dict[tuple[int, int], np.ndarray]]:
        """Feature blocks by number of the photo and view; photos of one working size go through the
        backbone together.
        """
        by_size: dict[tuple[int, ...], list[int]] = {}
        for number, pixels in enumerate(cuts):
            by_size.setdefault(pixels.shape, []).append(number)
        step = self.settings.images_per_batch
        batches = [
            (members[start : start + step], view)
            for members in by_size.values()
            for start in range(0, len(members), step)
            for view in self._views
        ]

        def features(batch: tuple[list[int], int]) -> dict[str, np.ndarray]:
            numbers, view = batch
            pixels = np.stack([cuts[number] for number in numbers])
            return self._features(pixels_of_view(pixels, view))

        blocks: dict[str, dict] = {name: {} for name in self._layout.blocks}
        with concurrent.futures.ThreadPoolExecutor(_BATCHES_AT_ONCE) as pool:
            for (numbers, view), found in zip(batches, pool.map(features, batches)):
                for name, block in found.items():
                    blocks[name].update(zip([(number, view) for number in numbers], block))
        return blocks

    def _features(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        return extract_features(pixels, self._backbone, self.settings.patch_size, self._layout)

    def serialize(self, fields: Mapping[str, object]) -> bytes:
        """Raises: ValueError for features outside float16."""
        return serialize_record(fields, self._layout, self.settings.feature_storage)

    def in_words(self, fields: Mapping[str, object]) -> str:
        """How large its features are."""
        features = fields["patch_features"]
        return f"features mean {features.mean():.3f} max {features.max():.3f}"

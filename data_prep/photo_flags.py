"""The flags of the commands that read the photos of records once more."""

from absl import flags

from data_prep.features.backbones import Backbone, build_backbone


def define_photo_flags() -> None:
    """Defines them; the command adopts them as its own (`flags.adopt_module_key_flags`), for
    --help.
    """
    flags.DEFINE_string(
        "backbone_weights",
        "imagenet",
        "Of the records' backbone: imagenet, random, or the path of a Keras HDF5 file, or of its"
        " ONNX file.",
    )
    flags.DEFINE_string(
        "backbone_preprocessing",
        "",
        "Of records made with --backbone=onnx: the JSON file that they were made with.",
    )
    flags.DEFINE_string(
        "catalogue", "", "Where the catalogue is now; default: where the records say it was."
    )


def backbone_of_flags(name: str) -> Backbone:
    """The backbone `name` of records, with the weights that the flags name. Raises: InputError as
    `build_backbone`.
    """
    values = flags.FLAGS
    return build_backbone(
        name, values.backbone_weights, preprocessing=values.backbone_preprocessing
    )

"""The flags of the commands that read the photos of records once more."""

from absl import flags


def define_photo_flags() -> None:
    """Defines them; the command adopts them as its own (`flags.adopt_module_key_flags`), for
    --help.
    """
    flags.DEFINE_string(
        "backbone_weights",
        "imagenet",
        "Of the records' backbone: imagenet, random, or the path of a Keras HDF5 file.",
    )
    flags.DEFINE_string(
        "catalogue", "", "Where the catalogue is now; default: where the records say it was."
    )

"""What training shows of photos that are named one by one."""

import dataclasses

from kaleido_tf.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class PartsConfig:
    """How photos are cut and mirrored where outfits or triplets are learnt (`ShownPhotos`)."""

    smallest_cut: float = setting(
        0.8,
        "smallest_cut",
        "Training on outfits or triplets shows parts of photos: the share of the photo's area that"
        " they have at least; 1: all of it.",
        decisive=True,
        above=0,
        largest=1,
    )
    mirror_probability: float = setting(
        0.5,
        "mirror_probability",
        "How often left and right of a training photo are exchanged.",
        decisive=True,
        lowest=0,
        largest=1,
    )

    def __post_init__(self):
        check_settings(self)

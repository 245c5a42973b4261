"""The settings of a tokenizer's training."""

import dataclasses

from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from kaleido_tf.settings import check_settings, setting

RECONSTRUCTIONS = ("l1", "l2")

_RELEASE = TokenizerConfig()


@dataclasses.dataclass(frozen=True)
class TokenSettings:
    """A run; the network's sizes are the release's by default. The rate rises over the first epoch
    and falls to 0 along a cosine.
    """

    hidden_dim: int = setting(
        _RELEASE.hidden_dim, "hidden_dim", "Channels of the finest map, a multiple of 32.", lowest=1
    )
    multipliers: str = setting(
        ",".join(map(str, _RELEASE.multipliers)),
        "multipliers",
        "Channels of each level in multiples of --hidden_dim, from fine to coarse, with commas;"
        " every level but the last halves the map.",
    )
    num_blocks: int = setting(
        _RELEASE.num_blocks, "num_blocks", "Residual blocks a level.", lowest=1
    )
    z_channels: int = setting(
        _RELEASE.z_channels, "z_channels", "Channels that the encoder leaves.", lowest=1
    )
    code_dim: int = setting(_RELEASE.code_dim, "code_dim", "Length of a code.", lowest=1)
    num_codes: int = setting(_RELEASE.num_codes, "num_codes", "Number of codes.", lowest=2)
    image_side: int = setting(
        0, "image_side", "Pixels that are cut of a side of the photos; 0: all.", lowest=0
    )
    reconstruction: str = setting(
        "l2", "reconstruction", "Error of a colour: l1 or l2.", choices=RECONSTRUCTIONS
    )
    commitment: float = setting(
        0.25, "commitment", "Weight of the distance to the nearest code in the loss.", lowest=0
    )
    decay: float = setting(
        0.99, "decay", "How much of a code's average stays in a step.", above=0, below=1
    )
    restart_below: float = setting(
        0.1,
        "restart_below",
        "A code starts anew that is nearest to fewer vectors than this share of the average.",
        lowest=0,
        below=1,
    )
    holdout: float = setting(
        0.05, "holdout", "Share of the products to hold out.", above=0, below=1
    )
    epochs: int = setting(20, "epochs", "Passes over the photos.", lowest=1)
    batch_size: int = setting(32, "batch_size", "Photos a step.", lowest=1)
    learning_rate: float = setting(3e-4, "learning_rate", "Of Adam, at its height.", above=0)
    seed: int = setting(
        0, "seed", "Of the first weights, the order, and all draws.", lowest=0, largest=2**31 - 1
    )

    def __post_init__(self):
        check_settings(self)

    def config(self, side: int) -> TokenizerConfig:
        """The tokenizer's, for photos of `side` pixels a side. Raises: InputError for sizes that do
        not fit each other.
        """
        if self.image_side > side:
            raise InputError(
                f"--image_side must be at most the {side} pixels of the records. Received:"
                f" {self.image_side}"
            )
        names = ("hidden_dim", "num_blocks", "z_channels", "code_dim", "num_codes")
        return TokenizerConfig(
            **{name: getattr(self, name) for name in names},
            multipliers=self._numbers(),
            image_side=self.image_side or side,
        )

    def _numbers(self) -> tuple[int, ...]:
        parts = self.multipliers.split(",")
        if not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
            raise InputError(
                "--multipliers must be whole numbers with commas between them. Received:"
                f" {self.multipliers!r}"
            )
        return tuple(int(part) for part in parts)

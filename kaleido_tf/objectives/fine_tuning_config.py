"""The settings that all tasks of fine-tuning share, beside those of their runs."""

import dataclasses

from kaleido_tf.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class FineTuningConfig:
    """How the model that is fine-tuned differs from what it starts from."""

    dropout: float | None = setting(
        None,
        "dropout",
        "Dropout of the encoder that is fine-tuned, of its layers and its attention; default: what"
        " the config.json says that it starts from.",
        decisive=True,
        lowest=0,
        below=1,
    )

    def __post_init__(self):
        check_settings(self)

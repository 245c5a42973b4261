"""Pre-training of a family's model: what is trained, and how a new model begins."""

from collections.abc import Callable

import tensorflow as tf

from kaleido_tf.data.pipeline import RecordExamples
from kaleido_tf.errors import InputError
from kaleido_tf.families import build_model, check_settings
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.objectives.comparison_start import check_texts, train_comparison
from kaleido_tf.objectives.contrastive_start import start_from_scratch
from kaleido_tf.objectives.pretraining_config import PretrainingConfig
from kaleido_tf.training.run import Examples


class Pretraining:
    """Builds and begins a family's model for `training.run.train`.

    Args:
      load_start: fills a new model's weights from a checkpoint; None: it is trained from scratch.
    Raises: InputError for settings that the family refuses.
    """

    def __init__(
        self,
        config: ModelConfig,
        settings: PretrainingConfig,
        text_length: int,
        load_start: Callable[[tf.Module], None] | None = None,
    ):
        check_settings(config, settings.tasks, settings.loss_weights)
        self.config, self.settings, self.text_length = config, settings, text_length
        self._load_start = load_start

    def build(self):
        """A new model; called in the strategy's scope."""
        settings = self.settings
        return build_model(self.config, settings.tasks, self.text_length, settings.loss_weights)

    def check_examples(self, examples: Examples) -> None:
        """Raises: InputError for a start on examples that cannot give one."""
        if self._load_start is None and self.settings.contrastive_epochs:
            _check_records(examples, "--contrastive_epochs")
        if self._load_start is None and getattr(self.config, "comparison_size", 0):
            _check_records(examples, "A new model with `comparison_size`")
            check_texts(examples.table)

    def starter(self, examples: Examples, seed: int):
        """What fills a new model's weights: a function of (model, strategy)."""
        self.check_examples(examples)

        def start(model, strategy) -> None:
            epochs = self.settings.contrastive_epochs
            # Before the weights: a BERT of texts alone has none that normalise image features.
            model.prepare(examples)
            if self._load_start is not None:
                if epochs:
                    print(
                        "--contrastive_epochs is for new models: this one starts from its"
                        " checkpoint as it is"
                    )
                self._load_start(model)
            elif epochs:
                start_from_scratch(model, examples.table, strategy, epochs, seed)
            if getattr(model, "compares", False) and not model.has_compared:
                _check_records(examples, "A model with `comparison_size` that starts without one")
                train_comparison(
                    model, examples.table, strategy, self.settings.comparison_epochs, seed
                )

        return start


def _check_records(examples: Examples, what: str) -> None:
    if not isinstance(examples, RecordExamples):
        raise InputError(
            f"{what} needs records (data_prep): rows do not say which texts and images differ"
        )

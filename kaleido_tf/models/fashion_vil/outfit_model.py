"""Outfit complementary item retrieval with FashionViL's image encoder (the release's variant of
CSA-Net, Lin et al., CVPR 2020): an item of an outfit asks for one of another category.

N = items, F = size of a vector, C = categories, H x W = pixels. There is no text and no
transformer.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from kaleido_tf.data.photos import cut_centre
from kaleido_tf.losses import WeightedSum
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.contrast import check_others, contrast
from kaleido_tf.models.fashion_vil.image_encoder import ImageEncoder
from kaleido_tf.models.fashion_vil.layers import ScaledNorm, torch_dense
from kaleido_tf.models.fashion_vil.photo_colours import normalised
from kaleido_tf.models.fashion_vil.subspace_attention import SubspaceAttention

TRAINED_STAGES = ("all", "release", "none")


class OutfitModel(tf.Module):
    """Which item completes an outfit (a `training.trainer.Trainable`).

    Batch norms always work with the running numbers of the start, as in the release.

    Args:
      config: of a FashionViL, whose image encoder it has.
      num_categories: C.
      vector_size: F (the release: 256). num_subspaces: of the attention (the release: 5).
      trained_stages: `all` convolutions of the image encoder; `release`: all but those of the last
        stage, which the release keeps, presumably meaning the first ones; `none`.

    Attributes: named_layers: name -> layer; a checkpoint knows each variable by this name.
    """

    total_is_linear = True
    needs_whole_batch = "the contrast between the pairs of a batch"
    step_tasks: Mapping[str, float] = {}
    loss_names = ("outfit_loss",)
    fast_variables: Sequence[tf.Variable] = ()

    def __init__(
        self,
        config: FashionVilConfig,
        num_categories: int,
        vector_size: int = 256,
        num_subspaces: int = 5,
        trained_stages: str = "all",
    ):
        super().__init__(name="outfit_model")
        self.config = config
        encoder = ImageEncoder(
            config.stem_width, config.image_depths, frozen_norm=True, name="image_encoder"
        )
        if trained_stages == "none":
            encoder.trainable = False
        elif trained_stages == "release":
            for block in encoder.stages[-1]:
                block.trainable = False
        self.named_layers = {
            "image_encoder": encoder,
            "outfit_projection": torch_dense(
                vector_size, encoder.num_channels, dtype="float32", name="outfit_projection"
            ),
            "outfit_attention": SubspaceAttention(
                num_categories, num_subspaces, name="outfit_attention"
            ),
            "outfit_norm": ScaledNorm(config.contrastive_scale, name="outfit_norm"),
        }

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """Of all layers; makes them where they are not there yet."""
        if not self.named_layers["outfit_attention"].built:
            side = self.config.image_side
            none = tf.zeros([1], tf.int32)
            self.question_vectors(self.features(tf.zeros([1, side, side, 3])), none, none)
        return tuple(v for x in self.named_layers.values() for v in x.trainable_variables)

    def features(self, images, training=False) -> tf.Tensor:
        """[N, F] float32 of images [N, H, W, 3], normalised as `photo_colours` does."""
        tokens = self.named_layers["image_encoder"](images, training=training)
        pooled = tf.reduce_mean(tf.cast(tokens, tf.float32), axis=1)
        return self.named_layers["outfit_projection"](pooled)

    def start_from(self, encoder: ImageEncoder) -> None:
        """Takes the weights of a FashionViL's image encoder, as fine-tuning does in the release."""
        _ = self.trainable_variables  # makes what is to be filled
        self.named_layers["image_encoder"].take(encoder)

    def question_vectors(self, features, categories, wanted) -> tf.Tensor:
        """[N, F] float32 of the items that are there: features [N, F], their categories [N] int,
        and those of what is looked for, [N] int.
        """
        seen = self.named_layers["outfit_attention"](features, categories, wanted)
        return self.named_layers["outfit_norm"](seen)

    def answer_vectors(self, features) -> tf.Tensor:
        """[N, F] float32 of the items that may be found: features [N, F]."""
        return self.named_layers["outfit_norm"](features)

    def images_of(self, photos) -> tf.Tensor:
        """Photos [N, s, s, 3] uint8 as `features` takes them; of larger ones the middle."""
        return normalised(cut_centre(photos, self.config.image_side))

    def losses(self, batch, task=None, training=False) -> dict[str, WeightedSum]:
        """Contrast between the pairs of a batch: `photo` [N, s, s, 3] uint8 with `category` [N],
        and of what completes it `answer_photo`, `answer_category` and `answer_number` [N] int,
        equal where two answers are one item.
        """
        del task  # there is one alone
        if training:
            check_others(batch["photo"].shape[0], "outfits")
        asking, answers = (
            self.features(self.images_of(batch[name]), training)
            for name in ("photo", "answer_photo")
        )
        questions = self.question_vectors(asking, batch["category"], batch["answer_category"])
        found = self.pair_contrast(questions, self.answer_vectors(answers), batch["answer_number"])
        return {f"outfit_{name}": value for name, value in found.items()}

    def pair_contrast(self, questions, answers, numbers) -> dict[str, WeightedSum]:
        """Loss and accuracy of vectors [N, F] of questions and their answers; numbers [N] int."""
        return contrast(questions, answers, tf.convert_to_tensor(numbers)[:, None])

    def total(self, losses: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, dict]:
        """The loss itself."""
        return losses["outfit_loss"], {}

    def figures(self, sums) -> dict[str, float]:
        """Nothing beside the means."""
        del sums
        return {}

"""The size and behaviour of Kaleido-BERT (`config.json`)."""

import dataclasses
from typing import ClassVar

from kaleido_tf import patches
from kaleido_tf.models.config import BertConfig


@dataclasses.dataclass(frozen=True)
class KaleidoBertConfig(BertConfig):
    """Kaleido-BERT; the defaults are the paper's base model (section 4.1: L=12, H=768, A=12).

    In a file, a key of ours that is missing has the original's value (`ORIGINAL`); our own files
    spell them out.

      box_unit: `relative` divides x, y by the crop's longer side and w*h by its square. `pixel`
        feeds raw pixels, as the original does: numbers up to 65,536 that drown the features before
        the layer norm at the start of training.
      grey_target: `per_patch` makes every grey patch's target a distribution of its own (equation
        6). `joint` takes one softmax over all target patches of an example, as the original does;
        its loss can be negative.
    """

    MODEL_TYPE: ClassVar[str] = "kaleidobert"
    CONSTANTS: ClassVar[dict] = {
        "img_rotation_seq_len": patches.LEVEL_PATCHES["rotation"],
        "img_jigsaw_seq_len": patches.LEVEL_PATCHES["jigsaw"],
        "img_camouflage_seq_len": patches.LEVEL_PATCHES["camouflage"],
        "img_greymask_seq_len": patches.LEVEL_PATCHES["grey_to_color"],
        "img_blankmask_seq_len": patches.LEVEL_PATCHES["blank_to_color"],
    }
    UNUSED: ClassVar[tuple[str, ...]] = ("max_patch_position_embeddings",)
    ORIGINAL: ClassVar[dict] = {
        "box_unit": "pixel",
        "grey_target": "joint",
        "patch_type_vocab_size": 2,
    }
    OURS: ClassVar[tuple[str, ...]] = (*BertConfig.OURS, "box_unit", "grey_target")

    patch_type_vocab_size: int = 6
    img_rotation_label_num: int = 4
    img_jigsaw_label_num: int = 24
    img_camouflage_label_num: int = 9
    masked_greymask_patch_num: int = 2
    masked_blankmask_patch_num: int = 3
    box_unit: str = "relative"
    grey_target: str = "per_patch"

    def __post_init__(self):
        super().__post_init__()
        self._check_choice("box_unit", ("relative", "pixel"))
        self._check_choice("grey_target", ("per_patch", "joint"))

    @property
    def patch_budgets(self) -> tuple[int, int, int]:
        """Masked patches of levels 3, 4 and 5 (section 3.4)."""
        return 1, self.masked_greymask_patch_num, self.masked_blankmask_patch_num

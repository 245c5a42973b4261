"""The settings of a run: how long it trains, at which rate, when it saves and evaluates, and where
it computes.
"""

import dataclasses

from kaleido_tf.errors import InputError
from kaleido_tf.settings import check_settings, seed_setting, setting
from kaleido_tf.training.cluster import Cluster
from kaleido_tf.training.data_service_config import DataServiceConfig


@dataclasses.dataclass(frozen=True)
class DeviceConfig:
    """Where a run computes, and how precisely. `cluster`: the workers it is shared by, if any."""

    worker_gpus: int = setting(
        1,
        "workerGPU",
        "GPUs of this machine to use; fewer are used (none: the CPU) where there are fewer.",
        decisive=True,
    )
    cpu_replicas: int = setting(
        1, "cpu_replicas", "Replicas on the CPU where no GPU is used.", decisive=True, lowest=1
    )
    precision: str = setting(
        "float32",
        "precision",
        "Of activations; weights and losses stay float32. auto: bfloat16 where a measurement says"
        " that this machine multiplies it faster, so that figures differ between machines.",
        decisive=True,
        choices=("float32", "bfloat16", "float16", "auto"),
    )
    xla: bool = setting(False, "xla", "Compiles forward and backward pass with XLA.")
    cluster: Cluster | None = None

    def __post_init__(self):
        check_settings(self)
        if self.cluster is not None and self.cpu_replicas > 1:
            raise InputError(
                "--cpu_replicas is for one worker; several have one replica each on their CPUs."
                f" Received: --cpu_replicas={self.cpu_replicas} and {len(self.cluster.hosts)}"
                " workers"
            )
        if self.cluster is not None and self.precision == "auto":
            raise InputError(
                "--precision=auto asks each machine, and several workers need one precision. Name"
                " one of float32, bfloat16, float16"
            )


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """How a run trains, saves and evaluates. `device`: where it computes. `data_service`: where its
    examples are made.
    """

    model_dir: str | None = setting(
        None,
        "model_dir",
        "Where a run leaves its checkpoints, metrics.jsonl and TensorBoard events.",
    )
    train_batch_size: int = setting(
        32, "train_batch_size", "Examples a replica and step.", decisive=True, lowest=1
    )
    eval_batch_size: int = setting(
        16, "eval_batch_size", "Examples a replica and step in evaluation.", lowest=1
    )
    num_epochs: float = setting(
        1.0, "num_epochs", "Passes over the training examples.", decisive=True, above=0
    )
    learning_rate: float = setting(
        1e-4, "learning_rate", "Peak learning rate.", decisive=True, above=0
    )
    warmup_ratio: float = setting(
        0.1,
        "warmup_ratio",
        "Share of the steps over which the learning rate rises.",
        decisive=True,
        lowest=0,
        largest=1,
    )
    warmup_steps: int | None = setting(
        None,
        "warmup_steps",
        "The same as a number of steps; set, it counts instead of --warmup_ratio.",
        decisive=True,
        lowest=0,
    )
    optimizer: str = setting(
        "bert_adam",
        "optimizer",
        "bert_adam: Kaleido-BERT's and FashionBERT's; adamw: MVLT's, PyTorch's AdamW;"
        " transformers_adamw: FashionViL's, that of transformers before 4.11.",
        decisive=True,
        choices=("bert_adam", "adamw", "transformers_adamw"),
    )
    schedule: str = setting(
        "linear",
        "schedule",
        "linear: from the peak to 0, step by step; epoch_cosine: MVLT's, once an epoch, from the"
        " peak to 1e-5, with the --warmup_ratio of the epochs, rounded to whole ones, of warm-up;"
        " multi_step: FashionViL's, from a quarter of the peak to the peak, and to a tenth at each"
        " of the --rate_drops.",
        decisive=True,
        choices=("linear", "epoch_cosine", "multi_step"),
    )
    rate_drops: tuple[float, ...] = setting(
        (),
        "rate_drops",
        "Shares of the steps, separated by commas, after which --schedule=multi_step has another"
        " tenth of the rate.",
        decisive=True,
        above=0,
        below=1,
    )
    rate_multiplier: float = setting(
        1.0,
        "rate_multiplier",
        "The rate of a FashionViL's image encoder, projection and heads is that of the rest times"
        " this.",
        decisive=True,
        above=0,
    )
    weight_decay_ratio: float = setting(
        0.0,
        "weight_decay_ratio",
        "Weight decay; 0 is the original's plain Adam.",
        decisive=True,
        lowest=0,
    )
    clip_norm: float = setting(
        1.0,
        "clip_norm",
        "Gradients are clipped to this global norm; 0: they are not.",
        decisive=True,
        lowest=0,
    )
    accumulate_steps: int = setting(
        1,
        "accumulate_steps",
        "Parts in which a replica takes the gradients of its batch, one after the other, so that a"
        " large batch needs the memory of a part; the sum is that of the batch.",
        decisive=True,
        lowest=1,
    )
    seed: int = seed_setting()
    log_steps: int = setting(
        100, "log_step_count_steps", "Steps between training reports.", lowest=1
    )
    save_steps: int | None = setting(
        None,
        "save_checkpoints_steps",
        "Steps between checkpoints; default: once an epoch.",
        lowest=1,
    )
    eval_steps: int | None = setting(
        None,
        "eval_every_steps",
        "Steps between evaluations; default: --eval_every_epochs.",
        lowest=1,
    )
    eval_epochs: float = setting(1.0, "eval_every_epochs", "Epochs between evaluations.", above=0)
    keep_checkpoints: int = setting(
        10, "keep_checkpoint_max", "Checkpoints that are kept.", lowest=1
    )
    device: DeviceConfig = DeviceConfig()
    data_service: DataServiceConfig = DataServiceConfig()

    def __post_init__(self):
        check_settings(self)
        if self.train_batch_size % self.accumulate_steps:
            raise InputError(
                "--train_batch_size must be a multiple of --accumulate_steps. Received:"
                f" {self.train_batch_size} and {self.accumulate_steps}"
            )

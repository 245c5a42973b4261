"""The flags that `pretrain_main.py` and `finetune_main.py` share, and the run that they
describe.
"""

import dataclasses

from absl import flags

from kaleido_tf.errors import InputError
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.training.run_config import RunConfig

RUN_DEFAULTS = {field.name: field.default for field in dataclasses.fields(RunConfig)}

# What decides a run's numbers, beside its data and model; a resumed run must not change them.
DECISIVE_FLAGS = (
    "input_sequence_length",
    "train_batch_size",
    "workerGPU",
    "cpu_replicas",
    "num_epochs",
    "learning_rate",
    "warmup_ratio",
    "warmup_steps",
    "weight_decay_ratio",
    "clip_norm",
    "seed",
    "precision",
)


def define_shared_flags() -> None:
    """Defines them; the script adopts them as its own (`flags.adopt_module_key_flags`), for --help
    and flags.cfg.
    """
    default = RUN_DEFAULTS
    # Flags of the original scripts, with their names, meanings and defaults.
    flags.DEFINE_integer(
        "workerGPU",
        1,
        "GPUs of this machine to use; fewer are used (none: the CPU) where there are fewer.",
    )
    flags.DEFINE_string(
        "train_input_fp",
        None,
        "Examples to train on: a file, a glob, a directory of shards, or a list file. Records, or"
        " with --input_schema rows.",
    )
    flags.DEFINE_string("eval_input_fp", None, "Examples to evaluate on.")
    flags.DEFINE_string(
        "input_schema",
        None,
        "Columns name:type:length,... of the original's rows (tab-separated text or TFRecord);"
        " without it inputs are records.",
    )
    flags.DEFINE_string(
        "pretrain_model_name_or_path",
        None,
        "Model to start from: a directory or checkpoint prefix with config.json and vocab.txt"
        " beside it, or a name in EasyTransfer's model zoo (pai-kaleidobert-base-en).",
    )
    flags.DEFINE_string(
        "predict_checkpoint_path",
        None,
        "Checkpoint for predict and evaluate, of this project or TF1; default: the latest in"
        " --model_dir. Not read in training, as in the original.",
    )
    flags.DEFINE_string(
        "model_dir",
        None,
        "Where a run leaves its checkpoints, metrics.jsonl and TensorBoard events.",
    )
    flags.DEFINE_integer(
        "input_sequence_length",
        default["text_length"],
        "Text length in word pieces, [CLS] and [SEP] included; a model that exists already and rows"
        " bring their own.",
        lower_bound=3,
    )
    flags.DEFINE_integer(
        "image_feature_size",
        None,
        "Floats of an image in FashionBERT's rows (patches times floats a patch), checked against"
        " the model; means nothing to Kaleido-BERT, as in the original.",
    )
    flags.DEFINE_integer(
        "vocab_size",
        30522,
        "Tokens of the vocabulary, checked against the model where it is given.",
    )
    flags.DEFINE_integer(
        "train_batch_size",
        default["train_batch_size"],
        "Examples a replica and step.",
        lower_bound=1,
    )
    flags.DEFINE_float("num_epochs", default["num_epochs"], "Passes over the training examples.")
    flags.DEFINE_float("learning_rate", default["learning_rate"], "Peak learning rate.")
    flags.DEFINE_integer(
        "log_step_count_steps", default["log_steps"], "Steps between training reports."
    )
    # Flags of this project.
    flags.DEFINE_integer(
        "eval_batch_size", default["eval_batch_size"], "Examples a replica and step in evaluation."
    )
    flags.DEFINE_float(
        "warmup_ratio",
        default["warmup_ratio"],
        "Share of the steps over which the learning rate rises.",
    )
    flags.DEFINE_integer(
        "warmup_steps",
        None,
        "The same as a number of steps; set, it counts instead of --warmup_ratio.",
        lower_bound=0,
    )
    flags.DEFINE_float(
        "weight_decay_ratio",
        default["weight_decay_ratio"],
        "Weight decay; 0 is the original's plain Adam.",
    )
    flags.DEFINE_float(
        "clip_norm", default["clip_norm"], "Gradients are clipped to this global norm."
    )
    flags.DEFINE_integer("seed", default["seed"], "Of weights, order, masks and dropout.")
    flags.DEFINE_enum(
        "precision",
        default["precision"],
        ["float32", "bfloat16", "float16"],
        "Of activations; weights and losses stay float32.",
    )
    flags.DEFINE_boolean("xla", default["xla"], "Compiles forward and backward pass with XLA.")
    flags.DEFINE_integer(
        "cpu_replicas", default["cpu_replicas"], "Replicas on the CPU where no GPU is used."
    )
    flags.DEFINE_integer(
        "save_checkpoints_steps",
        None,
        "Steps between checkpoints; default: once an epoch.",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "eval_every_steps",
        None,
        "Steps between evaluations; default: --eval_every_epochs.",
        lower_bound=1,
    )
    flags.DEFINE_float("eval_every_epochs", default["eval_epochs"], "Epochs between evaluations.")
    flags.DEFINE_integer(
        "keep_checkpoint_max", default["keep_checkpoints"], "Checkpoints that are kept."
    )


def run_config(config: ModelConfig, vocabulary: str, text_length: int, **more) -> RunConfig:
    """The run of the shared flags; `more`: fields that are a script's own. Called before anything
    is computed.
    """
    from kaleido_tf.training.strategy import divide_cpu

    values = flags.FLAGS
    check_declared_sizes(config)
    divide_cpu(values.workerGPU, values.cpu_replicas)
    return RunConfig(
        train_input_fp=values.train_input_fp or "",
        eval_input_fp=values.eval_input_fp or "",
        model_dir=values.model_dir,
        vocabulary=vocabulary,
        text_length=text_length,
        train_batch_size=values.train_batch_size,
        eval_batch_size=values.eval_batch_size,
        num_epochs=values.num_epochs,
        learning_rate=values.learning_rate,
        warmup_ratio=values.warmup_ratio,
        warmup_steps=values.warmup_steps,
        weight_decay_ratio=values.weight_decay_ratio,
        clip_norm=values.clip_norm,
        seed=values.seed,
        precision=values.precision,
        xla=values.xla,
        worker_gpus=values.workerGPU,
        cpu_replicas=values.cpu_replicas,
        log_steps=values.log_step_count_steps,
        save_steps=values.save_checkpoints_steps,
        eval_steps=values.eval_every_steps,
        eval_epochs=values.eval_every_epochs,
        keep_checkpoints=values.keep_checkpoint_max,
        **more,
    )


def is_given(name: str) -> bool:
    """Whether a flag was set on the command line or by a flag file."""
    flag = flags.FLAGS[name]
    return bool(flag.present) or not flag.using_default_value


def need(*names: str) -> None:
    """Raises InputError for the first flag that is missing."""
    for name in names:
        if not flags.FLAGS[name].value:
            raise InputError(f"--mode={flags.FLAGS.mode} needs --{name}")


def check_declared_sizes(config: ModelConfig) -> None:
    """Sizes that the original's flags repeat must be the model's."""
    values = flags.FLAGS
    if is_given("vocab_size") and values.vocab_size != config.vocab_size:
        raise InputError(
            f"--vocab_size={values.vocab_size} must be the model's. Its config.json says"
            f" {config.vocab_size}"
        )
    patches = getattr(config, "max_patch_position_embeddings", None)
    if (
        patches
        and values.image_feature_size is not None
        and values.image_feature_size != patches * config.patch_feature_size
    ):
        raise InputError(
            f"--image_feature_size={values.image_feature_size} must be the model's {patches}"
            f" patches of {config.patch_feature_size} floats ="
            f" {patches * config.patch_feature_size}"
        )

"""The flags that `pretrain_main.py` and `finetune_main.py` share, and the settings they give."""

from absl import flags

from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.command_line.start_flags import IMAGE_START_FLAG, START_FLAG
from kaleido_tf.command_line.workers import read_cluster
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.settings import decisive_flags
from kaleido_tf.training.cluster import WorkerConfig
from kaleido_tf.training.data_service_config import DataServiceConfig
from kaleido_tf.training.run_config import DeviceConfig, RunConfig


def define_shared_flags() -> None:
    """Defines them; the script adopts them as its own (`flags.adopt_module_key_flags`), for --help
    and flags.cfg. Names, meanings and defaults of the original scripts' flags are theirs.
    """
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
        START_FLAG,
        None,
        "Model to start from: a directory or checkpoint prefix with config.json and vocab.txt"
        " beside it, or a name in EasyTransfer's model zoo (pai-kaleidobert-base-en). A BERT of"
        " texts alone (Google's release, or a directory in Hugging Face's layout with"
        " model.safetensors) gives a new model its sizes and text side.",
    )
    flags.DEFINE_string(
        IMAGE_START_FLAG,
        None,
        "What the image encoder of a new model starts from, where that is a network of its own"
        f" (fashion_vil): a ResNet of torchvision (.pth or .safetensors), beside --{START_FLAG},"
        " which then is a BERT of texts alone, or without it.",
    )
    flags.DEFINE_string(
        "predict_checkpoint_path",
        None,
        "Checkpoint for predict and evaluate, of this project or TF1; default: the latest in"
        " --model_dir. Not read in training, as in the original.",
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
    define_setting_flags(DeviceConfig)
    define_setting_flags(WorkerConfig)
    define_setting_flags(DataServiceConfig)
    define_setting_flags(RunConfig)
    define_setting_flags(ExamplesConfig, names=("text_length",))


def read_run() -> RunConfig:
    """The run that the flags describe. Raises: InputError naming the flag that is out of range."""
    return read_settings(
        RunConfig,
        device=read_settings(DeviceConfig, cluster=read_cluster()),
        data_service=read_settings(DataServiceConfig),
    )


def decisive_of(*settings: type) -> tuple[str, ...]:
    """The flags that a resumed run must not change: what decides its numbers, beside its data and
    its config.json.
    """
    return (
        START_FLAG,
        IMAGE_START_FLAG,
        *decisive_flags((DeviceConfig, WorkerConfig, RunConfig, *settings)),
    )


def is_given(name: str) -> bool:
    """Whether a flag was set on the command line or by a flag file."""
    flag = flags.FLAGS[name]
    return bool(flag.present) or not flag.using_default_value


def asked_length() -> int | None:
    """--input_sequence_length if it was given."""
    return flags.FLAGS.input_sequence_length if is_given("input_sequence_length") else None


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
    size = values.image_feature_size
    if patches and size is not None and size != patches * config.patch_feature_size:
        raise InputError(
            f"--image_feature_size={size} must be the model's {patches} patches of"
            f" {config.patch_feature_size} floats = {patches * config.patch_feature_size}"
        )

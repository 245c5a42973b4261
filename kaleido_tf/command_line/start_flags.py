"""The flags that say what a model starts from."""

START_FLAG = "pretrain_model_name_or_path"
IMAGE_START_FLAG = "image_encoder_weights"

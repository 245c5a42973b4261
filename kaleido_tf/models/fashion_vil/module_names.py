"""The modules of FashionViL's release, as the keys of its state dicts have them."""

IMAGE_ENCODER = "image_encoder.model"
BERT = "model.bert"
HEADS = "model.heads"
CLASSIFIER = "model.classifier"
NORM = "model.contrastive_norm.norm_s"
FINE_TUNED_NORM = "model.norm_layer.norm_s"
"""What a model that is fine-tuned to retrieve calls `NORM`."""
WORDS = f"{BERT}.embeddings.word_embeddings.weight"
IMAGE_STEM = f"{IMAGE_ENCODER}.0.weight"
FIRST_STAGE = 4
"""Number of the ResNet's first stage in the release's list of modules, of which 0 is the first
convolution and 1 its batch norm."""
RESNET_BODY = "layer1.0.conv1.weight"
"""A key that every ResNet of torchvision has."""

_ENDINGS = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
_HEADS = {
    "cls/predictions/output_bias": f"{HEADS}.mlm.bias",
    "cls/seq_relationship/output_weights": f"{HEADS}.itm.seq_relationship.weight",
    "cls/seq_relationship/output_bias": f"{HEADS}.itm.seq_relationship.bias",
}


def torch_name(name: str) -> str:
    """Google's name of BERT's variables in PyTorch's form, below the release's modules."""
    if name in _HEADS:
        return _HEADS[name]
    scope, ending = name.rsplit("/", 1)
    if ending.endswith("_embeddings"):
        scope, ending = name, "weight"
    name = f"{scope}/{_ENDINGS.get(ending, ending)}".replace("layer_", "layer.").replace("/", ".")
    if name.startswith("cls."):
        return name.replace("cls.predictions", f"{HEADS}.mlm")
    return f"model.{name}"

"""What the release calls the weights of the patch tokenizer (a PyTorch state dict), below
`model.image_tokenizer.`.
"""

from kaleido_tf.models.fashion_vil.patch_tokenizer import PatchTokenizer
from kaleido_tf.models.original import OriginalVariable, torch_convolution_names, torch_norm_names

PREFIX = "model.image_tokenizer."
"""Of the tokenizer in a state dict of the whole pre-training model."""


def tokenizer_names(tokenizer: PatchTokenizer) -> dict[str, OriginalVariable]:
    """Key of the state dict, without `PREFIX` -> variable, of a tokenizer that is built."""
    encoder, codebook = tokenizer.encoder, tokenizer.codebook
    names = torch_convolution_names("encoder.conv_in", encoder.first)
    for number, level in enumerate(encoder.levels):
        names |= _level_names(f"encoder.down.{number}", level)
    for number, halving in enumerate(encoder.halvings):
        scope = f"encoder.down.{number}.downsample.conv"
        names |= torch_convolution_names(scope, halving.convolution)
    return {
        **names,
        **_block_names("encoder.mid.block_1", encoder.middle.first),
        **_attention_names("encoder.mid.attn_1", encoder.middle.attention),
        **_block_names("encoder.mid.block_2", encoder.middle.second),
        **torch_norm_names("encoder.norm_out", encoder.last_norm),
        **torch_convolution_names("encoder.conv_out", encoder.last),
        "quantize.embedding.weight": OriginalVariable(codebook.weight),
        "quantize.embedding.cluster_size": OriginalVariable(codebook.cluster_size),
        "quantize.embedding.embed_avg": OriginalVariable(codebook.embed_avg),
        **torch_convolution_names("quant_conv", tokenizer.to_code),
    }


def _level_names(scope, level):
    names = {}
    for number, block in enumerate(level.blocks):
        names |= _block_names(f"{scope}.block.{number}", block)
    for number, attention in enumerate(level.attentions):
        names |= _attention_names(f"{scope}.attn.{number}", attention)
    return names


def _block_names(scope, block):
    names = {
        **torch_norm_names(f"{scope}.norm1", block.first_norm),
        **torch_convolution_names(f"{scope}.conv1", block.first),
        **torch_norm_names(f"{scope}.norm2", block.second_norm),
        **torch_convolution_names(f"{scope}.conv2", block.second),
    }
    if block.shortcut is not None:
        names |= torch_convolution_names(f"{scope}.nin_shortcut", block.shortcut)
    return names


def _attention_names(scope, attention):
    parts = {
        "q": attention.query,
        "k": attention.key,
        "v": attention.value,
        "proj_out": attention.projection,
    }
    names = torch_norm_names(f"{scope}.norm", attention.norm)
    for theirs, layer in parts.items():
        names |= torch_convolution_names(f"{scope}.{theirs}", layer)
    return names

"""How codes learn: each is the moving average of the vectors that were nearest to it (van den Oord
et al., 2017, appendix A.1), and starts anew where it is hardly ever the nearest (Dhariwal et al.,
2020, "Jukebox", section 3).

M = vectors of a step, D = their length, K = number of codes.
"""

from typing import NamedTuple

import tensorflow as tf

from kaleido_tf.models.fashion_vil.patch_tokenizer import Codebook

EPSILON = 1e-5


class CodeAverages(NamedTuple):
    """The variables of a `Codebook`: codes [K, D]; sizes [K], the moving average of how many
    vectors were nearest to each; sums [K, D], that of their sum.
    """

    codes: tf.Tensor
    sizes: tf.Tensor
    sums: tf.Tensor


def averages_of(codebook: Codebook) -> CodeAverages:
    """What a codebook holds now."""
    variables = codebook.weight, codebook.cluster_size, codebook.embed_avg
    return CodeAverages(*(tf.convert_to_tensor(variable) for variable in variables))


def set_averages(codebook: Codebook, averages: CodeAverages) -> None:
    """Gives a codebook its averages."""
    codebook.weight.assign(averages.codes)
    codebook.cluster_size.assign(averages.sizes)
    codebook.embed_avg.assign(averages.sums)


def moved(averages: CodeAverages, z: tf.Tensor, nearest: tf.Tensor, decay: float) -> CodeAverages:
    """The averages after a step.

    Args: z: [M, D] float32. nearest: [M] int32, the code of each. decay: how much of an average
      stays. Sizes are smoothed, so that no code is divided by 0.
    """
    count = averages.codes.shape[0]
    chosen = tf.one_hot(nearest, count)
    sizes = decay * averages.sizes + (1 - decay) * tf.reduce_sum(chosen, 0)
    sums = decay * averages.sums + (1 - decay) * tf.matmul(chosen, z, transpose_a=True)
    total = tf.reduce_sum(sizes)
    smoothed = (sizes + EPSILON) / (total + count * EPSILON) * total
    return CodeAverages(sums / smoothed[:, None], sizes, sums)


def restarted(averages: CodeAverages, z: tf.Tensor, below: float, seed: tf.Tensor) -> CodeAverages:
    """The averages with vectors of the step, drawn by `seed` [2], in place of codes that were the
    nearest to fewer than `below` times as many vectors as a code is on average.

    In the first step of a run these are all codes: their sizes begin with 0.
    """
    count, vectors = averages.codes.shape[0], tf.shape(z)[0]
    share = tf.cast(vectors, tf.float32) / count
    unused = averages.sizes < below * share
    drawn = tf.gather(z, tf.random.stateless_uniform([count], seed, 0, vectors, tf.int32))
    sizes = tf.where(unused, share, averages.sizes)
    sums = tf.where(unused[:, None], drawn * share, averages.sums)
    return CodeAverages(tf.where(unused[:, None], drawn, averages.codes), sizes, sums)

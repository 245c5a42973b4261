"""Test set-up: quiet TensorFlow, two logical CPU devices so that two replicas can be tested
anywhere.
"""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import zlib

import pytest
import tensorflow as tf
import tf_keras

from tests.golden_files import golden_folder

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_configure():
    """A missing folder is one message, not an error in every module."""
    golden_folder()
    # Building graphs makes objects by the thousand, few of them garbage: searched as often as
    # Python would, they take 7% of a test's time.
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def golden_dir():
    """Inputs, weights and outputs of the original implementation: tests/golden (see its
    README.md), or `KALEIDO_GOLDEN_DIR`.
    """
    return golden_folder()


def _draw_as_always(name):
    tf_keras.utils.set_random_seed(zlib.crc32(name.encode()))


@pytest.fixture(autouse=True, scope="module")
def _what_a_module_leaves_is_not_searched_again():
    """Keras and TensorFlow keep millions of objects; without this a process that has run for half
    an hour spends a good part of its time searching them for garbage.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _same_weights_in_every_run_of_a_module(request):
    """Before the module's own fixtures: a model that they make starts as it did yesterday."""
    _draw_as_always(request.module.__name__)


@pytest.fixture(autouse=True)
def _same_draws_in_every_run_of_a_test(request):
    """A bound that a rare draw misses fails at once or never."""
    _draw_as_always(request.node.nodeid)

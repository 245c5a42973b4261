"""Test set-up: quiet TensorFlow, two logical CPU devices so that two replicas can be tested
anywhere.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf

from tests.golden_files import golden_folder

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_configure():
    """A missing folder is one message, not an error in every module."""
    golden_folder()


@pytest.fixture(scope="session")
def golden_dir():
    """Inputs, weights and outputs of the original implementation: tests/golden (see its
    README.md), or `KALEIDO_GOLDEN_DIR`.
    """
    return golden_folder()

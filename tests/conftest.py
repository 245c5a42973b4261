"""Test set-up: quiet TensorFlow, two logical CPU devices so that two replicas can be tested
anywhere.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(scope="session")
def golden_dir():
    """Inputs, weights and outputs of the original implementation (see tests/golden/README.md)."""
    return pathlib.Path(__file__).parent / "golden"

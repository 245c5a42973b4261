import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.training.data_service_config import DataServiceConfig


def test_an_address_may_name_its_protocol():
    assert DataServiceConfig().address is None
    for given in ("reader:5050", "grpc://reader:5050"):
        assert DataServiceConfig(given).address == "reader:5050"


@pytest.mark.parametrize("given", ["reader", ":5050", "reader:", "reader:x", "reader:0", "r:65536"])
def test_what_is_no_address_is_refused(given):
    with pytest.raises(InputError, match=f"--data_service must be the host:port.*: {given}$"):
        DataServiceConfig(given)
    with pytest.raises(InputError, match="--data_service_streams must be at least 1"):
        DataServiceConfig(streams=0)

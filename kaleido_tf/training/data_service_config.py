"""Where the examples of a run are made, if not by itself."""

import dataclasses

from kaleido_tf.errors import InputError
from kaleido_tf.settings import check_settings, setting


@dataclasses.dataclass(frozen=True)
class DataServiceConfig:
    """The tf.data service whose workers read and make a run's examples; `address` None: the run
    does it itself.
    """

    address: str | None = setting(
        None,
        "data_service",
        "host:port of the dispatcher of a tf.data service (python -m kaleido_tf.data_service):"
        " its workers read the records, which must lie at the same paths there, and make the"
        " examples of training and evaluation, where this machine's cores are too few. The numbers"
        " of the run stay what they are.",
    )
    streams: int = setting(
        1,
        "data_service_streams",
        "Workers of the --data_service that make the examples of one block of shards (512 MB) side"
        " by side; each of them reads the whole block.",
        lowest=1,
    )
    timeout: int = setting(
        60,
        "data_service_timeout",
        "Seconds that a run waits for the --data_service to answer; for examples it waits ten times"
        " as long.",
        lowest=1,
    )

    def __post_init__(self):
        check_settings(self)
        if self.address is None:
            return
        address = self.address.removeprefix("grpc://")
        host, colon, port = address.rpartition(":")
        if not (host and colon and port.isdecimal() and 0 < int(port) < 1 << 16):
            raise InputError(
                f"--data_service must be the host:port of a dispatcher. Received: {self.address}"
            )
        object.__setattr__(self, "address", address)

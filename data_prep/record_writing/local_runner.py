"""Shards written by this process: `--runner=local`."""

import concurrent.futures
from collections.abc import Iterator

from data_prep.record_writing.finished_shards import FinishedShards
from data_prep.record_writing.split_shards import ShardOrder, SplitShards


class LocalRunner:
    """One shard after the other, as `ShardRunner`. The photos of the next one are read and cropped
    while the last goes through the network, so two are in memory.
    """

    def run(
        self, work: SplitShards, finished: FinishedShards, orders: list[ShardOrder]
    ) -> Iterator[list[int]]:
        """Writes shards, in the order of `orders`. Raises: InputError of the first bad photo."""
        with concurrent.futures.ThreadPoolExecutor(1) as ahead:
            coming = [ahead.submit(work.cut, order.number) for order in orders[:1]]
            for order, later in zip(orders, [*orders[1:], None]):
                cut = coming.pop().result()
                if later:
                    coming.append(ahead.submit(work.cut, later.number))
                work.finish(order, cut, finished.place)
                del cut  # before the one after the next is begun
                yield [order.number]

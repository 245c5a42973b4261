"""Which sizes of images a network takes, and the nearest of them to a patch's own."""

import dataclasses

from kaleido_tf.errors import InputError

MOST_PIXELS = 1024  # a side of the squares that maps are made of
_STEP = 16


@dataclasses.dataclass(frozen=True)
class InputSizes:
    """In pixels. `smallest`: of a side. `multiple`: sides are multiples of it. `fixed`: (width,
    height) where the network takes no other size.
    """

    smallest: int = 1
    multiple: int = 1
    fixed: tuple[int, int] | None = None

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) that a patch of this size goes in with; it is enlarged rather than
        shrunk, where there is a choice.
        """
        return self.fixed or (self._up(width), self._up(height))

    def _up(self, side: int) -> int:
        return -(-max(side, self.smallest) // self.multiple) * self.multiple

    def squares(self) -> list[int]:
        """Sides of squares that go in, up to 1024 pixels, from the smallest up."""
        if self.fixed:
            width, height = self.fixed
            return [width] if width == height else []
        step = _STEP if self.multiple == 1 else self.multiple
        return [side for side in range(step, MOST_PIXELS + 1, step) if side >= self.smallest]

    def check(self, patch_size: int | None, name: str) -> None:
        """Raises: InputError if patches cannot be resized to `patch_size` for the network `name`;
        None keeps their own sizes.
        """
        if patch_size is None or self.fit(patch_size, patch_size) == (patch_size, patch_size):
            return
        if self.fixed:
            width, height = self.fixed
            size = f" or {width}" if width == height else ""
            needed = f"native{size}, since it takes {width} x {height} pixels alone"
        else:
            multiple = f", a multiple of {self.multiple}" if self.multiple > 1 else ""
            needed = f"native or at least {self._up(self.smallest)} pixels{multiple}"
        raise InputError(f"--patch_size of {name} must be {needed}. Received: {patch_size}")

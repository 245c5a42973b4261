import pytest

from data_prep.features.input_sizes import InputSizes
from kaleido_tf.errors import InputError


def test_patches_are_enlarged_to_what_goes_in():
    assert InputSizes().fit(3, 5) == (3, 5)
    assert InputSizes(31).fit(30, 47) == (31, 47)
    assert InputSizes(40, 14).fit(29, 43) == (42, 56)
    assert InputSizes(fixed=(24, 36)).fit(100, 7) == (24, 36)


def test_squares_for_maps():
    assert InputSizes(31).squares()[:2] == [32, 48] and InputSizes(31).squares()[-1] == 1024
    assert InputSizes(20, 14).squares()[:2] == [28, 42]
    assert InputSizes(fixed=(24, 24)).squares() == [24]
    assert InputSizes(fixed=(24, 36)).squares() == []


@pytest.mark.parametrize(
    "sizes, patch_size, needed",
    [
        (InputSizes(75), 64, "native or at least 75 pixels. Received: 64"),
        (InputSizes(40, 14), 64, "native or at least 42 pixels, a multiple of 14"),
        (InputSizes(fixed=(24, 24)), 32, "native or 24, since it takes 24 x 24 pixels alone"),
        (InputSizes(fixed=(24, 36)), 24, "native, since it takes 24 x 36 pixels alone"),
    ],
)
def test_patch_sizes_that_do_not_go_in(sizes, patch_size, needed):
    sizes.check(None, "net")
    with pytest.raises(InputError, match=f"--patch_size of net must be {needed}"):
        sizes.check(patch_size, "net")

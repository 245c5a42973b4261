"""Colours as they are meant: photos with an embedded ICC profile become sRGB.

A profile that cannot be read, or is not of the image's kind, is left aside, as browsers do: the
numbers are then taken for sRGB.
"""

import functools
import io

from PIL import Image, ImageCms

_MODES = ("RGB", "L", "CMYK")


def names_other_colours(image: Image.Image) -> bool:
    """Whether an embedded profile says that the numbers are not sRGB's."""
    return _transform(image.info.get("icc_profile"), _colour_mode(image)) is not None


def in_srgb(image: Image.Image) -> Image.Image:
    """The image in RGB(A) of sRGB; itself without a profile, or with that of sRGB.

    Transparency is kept. 16-bit images and others that no profile can describe stay as they are.
    """
    mode = _colour_mode(image)
    transform = _transform(image.info.get("icc_profile"), mode)
    if transform is None:
        return image
    clear = "A" in image.getbands() or "transparency" in image.info
    colours = ImageCms.applyTransform(image.convert(mode), transform)
    if clear:
        colours.putalpha(image.convert("RGBA").getchannel("A"))
    return colours


def _colour_mode(image: Image.Image) -> str:
    """The mode that a profile of the image speaks of; empty where there is none."""
    mode = {"LA": "L", "1": "L"}.get(image.mode, image.mode)
    mode = "RGB" if mode in ("P", "PA", "RGBA", "RGBX") else mode
    return mode if mode in _MODES else ""


@functools.lru_cache(maxsize=64)  # photos of one camera or shop share their profile
def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    if not profile or not mode:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None

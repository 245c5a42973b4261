"""The photos and titles of a catalogue's products, for a page."""

from data_prep.catalogue.reading import read_catalogue
from kaleido_tf.serving.photos import Photo, Photos


def photos_of(catalogue: str | None) -> Photos:
    """The photos of a catalogue; a line of it that is no product has none. Raises: InputError as
    `read_catalogue`.
    """
    if not catalogue:
        return Photos(None)
    products = read_catalogue(catalogue, skip_unusable=True).products
    return Photos(
        {
            image.image_id: Photo(product.title, image.load)
            for product in products
            for image in product.images
        },
        {product.product_id: product.description or product.title for product in products},
    )

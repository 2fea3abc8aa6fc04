"""Views of an image and their scores in float64 NumPy. Images are ``[H, W, 3]``, 0 to 255."""

import numpy as np


def crop(image: np.ndarray, top: int, left: int, size: int = 224) -> np.ndarray:
    return np.asarray(image, np.float64)[top : top + size, left : left + size]


def flip(image: np.ndarray) -> np.ndarray:
    """Mirrored: left becomes right."""
    return image[:, ::-1]


def positions(length: int = 256, size: int = 224, as_in_paper: bool = False) -> range:
    """The offsets of training crops: 0..32 in the 2012 code, 32 of them in the paper."""
    return range(length - size + (0 if as_in_paper else 1))


def in_chunks(drawn: np.ndarray, count: int, chunk: int) -> np.ndarray:
    """One draw for each ``chunk`` consecutive images (32 in 2012), spread over ``count`` images."""
    return np.asarray(drawn)[np.arange(count) // chunk]


def center(image: np.ndarray, size: int = 224) -> np.ndarray:
    return crop(image, (image.shape[0] - size) // 2, (image.shape[1] - size) // 2, size)


def view(
    image: np.ndarray,
    mean_image: np.ndarray,
    top: int,
    left: int,
    flipped: bool,
    mean: str = "center",
    size: int = 224,
) -> np.ndarray:
    """A crop, mirrored or not, less the mean.

    ``mean`` says which: "center", the mean image's center, never mirrored (2012); "crop", where
    the crop was taken, so that every pixel loses the mean of its own place; "channel", the mean
    image's average color.
    """
    x = crop(image, top, left, size)
    if mean == "crop":
        x = x - crop(mean_image, top, left, size)
    if flipped:
        x = flip(x)
    if mean == "center":
        x = x - center(mean_image, size)
    if mean == "channel":
        x = x - np.asarray(mean_image, np.float64).mean(axis=(0, 1))
    return x


def color_noise(
    image: np.ndarray,
    normals: np.ndarray,
    stddevs: np.ndarray,
    eigenvectors: np.ndarray,
    scale: float = 0.1,
    divide: bool = True,
) -> np.ndarray:
    """One color added to every pixel: ``scale * V (s * n)``, then division by ``1 + scale``.

    Args:
      normals: n, three draws of N(0, 1).
      stddevs: s, standard deviations (roots of eigenvalues) in gray levels.
      eigenvectors: V, ``[channel, component]``: its columns are the eigenvectors.
      divide: whether to divide, as the 2012 code does and the paper does not.
    """
    color = np.asarray(eigenvectors, np.float64) @ (np.asarray(stddevs) * np.asarray(normals))
    noisy = image + scale * color
    return noisy / (1 + scale) if divide else noisy


def ten_offsets(length: int = 256, size: int = 224) -> list[tuple[int, int]]:
    """(top, left) of the corners and the center, in the order of the 2012 code."""
    end = length - size
    return [(0, 0), (0, end), (end // 2, end // 2), (end, 0), (end, end)]


def ten_views(
    image: np.ndarray, mean_image: np.ndarray, mean: str = "center", size: int = 224
) -> np.ndarray:
    """``[10, size, size, 3]``: the five crops, then their mirror images."""
    offsets = ten_offsets(image.shape[0], size)
    return np.stack(
        [
            view(image, mean_image, top, left, flipped, mean, size)
            for flipped in (False, True)
            for top, left in offsets
        ]
    )


def top_k_error(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """The share of images whose label is not among the ``k`` likeliest.

    Classes that tie with the label share the places left for them: with b classes above the label
    and t classes (itself among them) level with it, it earns ``clip((k - b) / t, 0, 1)``.
    """
    own = np.take_along_axis(probabilities, np.asarray(labels)[:, None], axis=1)
    above = (probabilities > own).sum(axis=1)
    level = (probabilities == own).sum(axis=1)
    return float(1.0 - np.clip((k - above) / level, 0.0, 1.0).mean())

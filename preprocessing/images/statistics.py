"""Mean image and color covariance of many images, exact and mergeable.

Pixels are whole numbers, so all sums are kept as whole numbers: they have no rounding error, and
the result is the same to the last bit however the images are spread over shards and workers.
With x a pixel's (R, G, B) and n the number of pixels,

    covariance = (n * sum(x x^T) - sum(x) sum(x)^T) / n^2

is evaluated in whole numbers of any size too; only the last division rounds.
"""

import io

import numpy as np

from preprocessing.dataset.info import ColorStatistics

# Small types are the fastest to add. uint16 holds the sum of this many uint8 values; float32, whose
# whole numbers are exact up to 2^24, the sum of this many products of two of them.
_MOST_VALUES = (2**16 - 1) // 255  # 257
_MOST_PRODUCTS = 2**24 // 255**2  # 258


class PixelStatistics:
    """Sums over images of one size. int64 holds two billion images of 256 x 256."""

    def __init__(self, size: int):
        """Args:
        size: side of the square images, in pixels.
        """
        self.size = size
        self.count = 0  # images
        self._sum = np.zeros((size, size, 3), np.int64)  # per pixel and channel
        self._products = np.zeros((3, 3), np.int64)  # sum over all pixels of x x^T
        # What is not in the two sums above yet. A row of an image is R G B R G B ..., so its
        # products with itself shifted by `lag` hold those of channel c and channel c + lag.
        self._recent = 0  # images
        self._values = np.empty((size, 3 * size), np.float32)
        self._recent_sum = np.zeros((size, size, 3), np.uint16)
        self._recent_products = np.zeros((3, 3 * size), np.float64)  # [lag, column]

    def add(self, pixels: np.ndarray) -> None:
        """Count one image, uint8 [size, size, 3], RGB.

        Raises:
            ValueError: pixels of another shape or dtype.
        """
        if pixels.dtype != np.uint8 or pixels.shape != self._sum.shape:
            raise ValueError(
                f"Expected uint8 {list(self._sum.shape)}. "
                f"Received: {pixels.dtype} {list(pixels.shape)}"
            )
        self._recent_sum += pixels
        self._values[...] = pixels.reshape(self.size, -1)
        for start in range(0, self.size, _MOST_PRODUCTS):
            rows = self._values[start : start + _MOST_PRODUCTS]
            for lag in range(3):
                end = rows.shape[1] - lag
                columns = np.einsum("rc,rc->c", rows[:, :end], rows[:, lag:])
                self._recent_products[lag, :end] += columns
        self.count += 1
        self._recent += 1
        if self._recent == _MOST_VALUES:
            self._flush()

    def merge(self, other: "PixelStatistics") -> None:
        """Count all of another's images too.

        Raises:
            ValueError: the other's images have another size.
        """
        if other.size != self.size:
            raise ValueError(f"Expected statistics of size {self.size}. Received: {other.size}")
        self._flush()
        other._flush()
        self.count += other.count
        self._sum += other._sum
        self._products += other._products

    def mean_image(self) -> np.ndarray:
        """float64 [size, size, 3], RGB, 0..255.

        Raises:
            ValueError: there was no image.
        """
        self._require_images()
        self._flush()
        return self._sum / self.count

    def color(self) -> ColorStatistics:
        """Mean, and the principal axes of the RGB covariance (divided by n), of all pixels.

        The columns of `eigenvectors` belong to `stddevs`, ascending. An eigenvector's sign means
        nothing, so it is fixed: the first of R, G, B that is at least half as large as the largest
        component is positive.

        Raises:
            ValueError: there was no image.
        """
        self._require_images()
        self._flush()
        pixels = self.count * self.size**2
        sums = [int(total) for total in self._sum.sum(axis=(0, 1))]
        covariance = [
            [(pixels * int(self._products[i, j]) - sums[i] * sums[j]) / pixels**2 for j in range(3)]
            for i in range(3)
        ]
        variances, eigenvectors = np.linalg.eigh(np.array(covariance))
        for j in range(3):
            axis = eigenvectors[:, j]
            leading = np.flatnonzero(np.abs(axis) >= np.abs(axis).max() / 2)[0]
            axis *= np.sign(axis[leading])
        stddevs = np.sqrt(np.maximum(variances, 0))  # a true zero may come out as -1e-14
        return ColorStatistics(
            mean_rgb=tuple(total / pixels for total in sums),
            stddevs=tuple(stddevs.tolist()),
            eigenvectors=tuple(tuple(row) for row in eigenvectors.tolist()),
        )

    def to_bytes(self) -> bytes:
        """The sums as the bytes of an .npz file, to keep beside a shard."""
        self._flush()
        buffer = io.BytesIO()
        np.savez(
            buffer, count=np.int64(self.count), pixel_sum=self._sum, color_products=self._products
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "PixelStatistics":
        """What `to_bytes` wrote.

        Raises:
            ValueError: the bytes are something else, or damaged.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                count = arrays["count"]
                pixel_sum = arrays["pixel_sum"]
                products = arrays["color_products"]
        except Exception as error:  # zipfile, zlib and NumPy raise many kinds on damaged bytes
            raise ValueError(f"Expected saved pixel statistics. Received: {error}") from error
        size = pixel_sum.shape[0] if pixel_sum.ndim else 0
        expected = ((), (size, size, 3), (3, 3))
        received = (count.shape, pixel_sum.shape, products.shape)
        dtypes = {array.dtype for array in (count, pixel_sum, products)}
        if received != expected or dtypes != {np.dtype(np.int64)}:
            raise ValueError(
                f"Expected saved pixel statistics: int64 of shapes {expected}. "
                f"Received: {sorted(map(str, dtypes))} of shapes {received}"
            )
        statistics = cls(size)
        statistics.count = int(count)
        statistics._sum += pixel_sum
        statistics._products += products
        return statistics

    def _flush(self) -> None:
        """Moves the recent sums to the lasting ones."""
        self._sum += self._recent_sum
        for lag in range(3):
            for channel in range(3 - lag):
                product = int(self._recent_products[lag, channel::3].sum())
                self._products[channel, channel + lag] += product
                if lag:
                    self._products[channel + lag, channel] += product
        self._recent_sum[...] = 0
        self._recent_products[...] = 0
        self._recent = 0

    def _require_images(self) -> None:
        if self.count == 0:
            raise ValueError("Expected at least one image. Received: none")

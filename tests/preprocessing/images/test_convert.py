"""Images that are good: geometry, filters, color and orientation of every kind of file."""

import io
import pickle

import numpy as np
import pytest
from PIL import Image, ImageOps

from preprocessing.images import convert as images
from preprocessing.images.convert import ImageOptions, Reject, decode_and_resize, encode
from tests.preprocessing.image_files import (
    file_of,
    jpeg_segment,
    noise,
    photograph,
    png,
    png_chunk,
    with_app1,
)
from tests.reference import resize as reference

LOSSLESS = ("PNG", "BMP", "TIFF", "PPM")


def convert(data: bytes, size: int = 8, **options) -> np.ndarray:
    return decode_and_resize(data, ImageOptions(size=size, **options))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean((a.astype(np.float64) - b) ** 2))


# Geometry


@pytest.mark.parametrize("filter", images.FILTERS)
@pytest.mark.parametrize("format", LOSSLESS)
def test_square_of_the_wanted_size_is_kept_as_it_is(filter, format):
    pixels = noise(32, 32)
    result = convert(file_of(Image.fromarray(pixels), format), 32, filter=filter)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, pixels)


@pytest.mark.parametrize(("height", "width"), [(40, 100), (100, 40)])
@pytest.mark.parametrize("size", [20, 40, 60])
def test_only_the_central_square_is_kept(height, width, size):
    pixels = np.full((height, width, 3), (255, 0, 0), np.uint8)
    y, x = (height - 40) // 2, (width - 40) // 2
    pixels[y : y + 40, x : x + 40] = (0, 0, 200)
    data = file_of(Image.fromarray(pixels), "PNG")
    result = convert(data, size).astype(int)
    # Enlarging reads a little beyond the square's edge, shrinking by area never does.
    inner = result if size <= 40 else result[3:-3, 3:-3]
    assert (inner == (0, 0, 200)).all()


@pytest.mark.parametrize("shape", [(120, 161), (161, 120), (97, 64)])
@pytest.mark.parametrize("size", [64, 50])
def test_area_equals_exact_overlaps_in_float64(shape, size):
    pixels = noise(*shape)
    result = convert(file_of(Image.fromarray(pixels), "PNG"), size)
    expected = reference.resize_central_square(pixels, size, "area")
    np.testing.assert_allclose(result, expected, atol=0.6)


@pytest.mark.parametrize("filter", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("shape", [(120, 161), (161, 120), (30, 41)])
def test_other_filters_equal_the_float64_reference(filter, shape):
    pixels = noise(*shape, low=70, high=185)  # so that no filter overshoots 0..255
    result = convert(file_of(Image.fromarray(pixels), "PNG"), 50, filter=filter)
    expected = reference.resize_central_square(pixels, 50, filter)
    # Pillow rounds to 8 bits after each of the two directions.
    np.testing.assert_allclose(result, expected, atol=1.1)
    assert np.abs(result - expected).mean() < 0.4


def test_area_enlarges_by_the_bicubic_reference():
    pixels = noise(30, 41, low=70, high=185)
    result = convert(file_of(Image.fromarray(pixels), "PNG"), 50, filter="area")
    expected = reference.resize_central_square(pixels, 50, "bicubic")
    np.testing.assert_allclose(result, expected, atol=1.1)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_tiny_images_are_enlarged(height, width):
    pixels = np.full((height, width, 3), (9, 99, 199), np.uint8)
    result = convert(file_of(Image.fromarray(pixels), "PNG"), 16)
    assert (result == (9, 99, 199)).all()


def test_grey_and_rgb_images_of_the_same_values_are_the_same():
    grey = noise(50, 70)[..., 0]
    for size in (32, 64):  # shrunk and enlarged
        one = convert(file_of(Image.fromarray(grey), "PNG"), size)
        three = convert(file_of(Image.fromarray(np.stack([grey] * 3, 2)), "PNG"), size)
        assert one.shape == (size, size, 3)
        np.testing.assert_array_equal(one, three)


# Scaled decoding of large JPEGs


@pytest.mark.parametrize(("height", "width"), [(512, 700), (533, 771), (1030, 1500), (1999, 1027)])
def test_scaled_decoding_keeps_the_geometry_and_nearly_the_pixels(height, width, monkeypatch):
    data = file_of(Image.fromarray(photograph(height, width)), "JPEG", quality=92)
    scaled = convert(data, 128)
    monkeypatch.setattr(images, "DRAFT_MARGIN", 10_000)
    full = convert(data, 128)
    assert psnr(scaled, full) > 40
    shifted = psnr(scaled[:, 1:], full[:, :-1])  # one pixel off would be far worse
    assert psnr(scaled, full) > shifted + 10


def test_scaled_decoding_is_used_only_above_the_margin(monkeypatch):
    sizes = []
    shrink = images.shrink_by_area
    monkeypatch.setattr(
        images, "shrink_by_area", lambda *args: (sizes.append(args[3]), shrink(*args))[1]
    )
    for side in (255, 256, 511, 512, 1024):
        convert(file_of(Image.new("RGB", (side, side)), "JPEG"), 64)
    margin = images.DRAFT_MARGIN * 64
    assert all(margin <= side < 2 * margin for side in sizes[1:])
    assert sizes[0] >= margin


# Color


def constant(mode: str, value, format: str, **options) -> bytes:
    return file_of(Image.new(mode, (20, 20), value), format, **options)


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_every_lossless_format_is_read_by_content(format):
    options = {"lossless": True} if format == "WEBP" else {}
    assert (convert(constant("RGB", (10, 120, 230), format, **options)) == (10, 120, 230)).all()


def test_jpeg_is_read():
    result = convert(constant("RGB", (10, 120, 230), "JPEG", quality=95)).astype(int)
    assert np.abs(result - (10, 120, 230)).max() <= 3


@pytest.mark.parametrize(
    ("mode", "value", "format", "expected"),
    [
        ("L", 77, "JPEG", (77, 77, 77)),
        ("L", 77, "PNG", (77, 77, 77)),
        ("1", 1, "PNG", (255, 255, 255)),
        ("1", 0, "GIF", (0, 0, 0)),
        ("CMYK", (0, 255, 0, 0), "TIFF", (255, 0, 255)),
        # Transparent parts show white: 255 * (1 - a) + value * a with a = 51 / 255 = 1/5.
        ("RGBA", (100, 150, 200, 51), "PNG", (224, 234, 244)),
        ("RGBA", (100, 150, 200, 0), "PNG", (255, 255, 255)),
        ("RGBA", (100, 150, 200, 255), "PNG", (100, 150, 200)),
        ("RGBA", (100, 150, 200, 51), "TIFF", (224, 234, 244)),
        ("LA", (100, 51), "PNG", (224, 224, 224)),
    ],
)
def test_constant_images_of_every_mode(mode, value, format, expected):
    result = convert(constant(mode, value, format)).astype(int)
    assert np.abs(result - expected).max() <= 1


def test_palette_images_and_their_transparency():
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, 200, 30, 40, 7, 8, 9])
    for format in ("PNG", "GIF", "BMP"):
        assert (convert(file_of(image, format)) == (200, 30, 40)).all()
    for format in ("PNG", "GIF"):
        assert (convert(file_of(image, format, transparency=1)) == 255).all()
        assert (convert(file_of(image, format, transparency=2)) == (200, 30, 40)).all()


def test_transparent_color_of_a_png_without_alpha_shows_white():
    pixels = np.full((16, 16, 3), (10, 20, 30), np.uint8)
    key = png_chunk(b"tRNS", bytes([0, 10, 0, 20, 0, 30]))
    assert (convert(png(16, 16, 8, 2, pixels.tobytes(), key), 16) == 255).all()
    grey = png(16, 16, 8, 0, bytes([9] * 256), png_chunk(b"tRNS", b"\0\x09"))
    assert (convert(grey, 16) == 255).all()


@pytest.mark.parametrize("value", [0, 1, 255, 256, 0x1234, 0x80FF, 65535])
def test_sixteen_bit_samples_keep_their_high_byte(value):
    high = value >> 8
    grey = np.full((16, 16), value, ">u2")
    assert (convert(png(16, 16, 16, 0, grey.tobytes())) == high).all()
    color = np.stack([grey, grey * 0, grey * 0 + 0xFFFF], 2).astype(">u2")
    assert (convert(png(16, 16, 16, 2, color.tobytes())) == (high, 0, 255)).all()
    tiff = file_of(Image.fromarray(grey.astype(np.uint16)), "TIFF")
    assert (convert(tiff) == high).all()


def test_sixteen_bit_alpha_shows_white():
    clear = np.full((16, 16, 4), (1000, 2000, 3000, 0), ">u2")
    assert (convert(png(16, 16, 16, 6, clear.tobytes())) == 255).all()
    clear = np.full((16, 16, 2), (1000, 0), ">u2")
    assert (convert(png(16, 16, 16, 4, clear.tobytes())) == 255).all()


INKS = (40, 90, 200, 60)


def from_inks(inks) -> np.ndarray:
    c, m, y, k = inks
    return np.array([(255 - ink) * (255 - k) / 255 for ink in (c, m, y)])


def test_cmyk_jpeg_of_adobe_is_stored_inverted():
    adobe = constant("CMYK", INKS, "JPEG", quality=100)
    assert b"Adobe" in adobe  # Pillow writes what Photoshop writes
    assert np.abs(convert(adobe) - from_inks(INKS)).max() <= 2


def test_cmyk_jpeg_without_adobe_marker_is_not_inverted():
    adobe = constant("CMYK", INKS, "JPEG", quality=100)
    start, end = jpeg_segment(adobe, 0xEE)
    plain = adobe[:start] + adobe[end:]
    stored = [255 - ink for ink in INKS]
    assert np.abs(convert(plain) - from_inks(stored)).max() <= 2


def test_ycck_jpeg_of_adobe():
    # Stored samples (inverted on writing) that the marker declares to be Y, Cb, Cr, K.
    y, cb, cr, k = 120, 110, 150, 190
    inks = tuple(255 - sample for sample in (y, cb, cr, k))
    data = bytearray(constant("CMYK", inks, "JPEG", quality=100))
    _, end = jpeg_segment(bytes(data), 0xEE)
    assert data[end - 1] == 0  # the transform: none
    data[end - 1] = 2  # YCCK
    red = y + 1.402 * (cr - 128)
    green = y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128)
    blue = y + 1.772 * (cb - 128)
    # YCCK holds the inverted inks as an RGB image's complement: ink = red, and so on.
    expected = from_inks((red, green, blue, 255 - k))
    assert np.abs(convert(bytes(data)) - expected).max() <= 3


def test_animations_and_multiple_images_give_their_first():
    first, second = Image.new("RGB", (20, 20), (250, 0, 0)), Image.new("RGB", (20, 20), (0, 0, 250))
    for format in ("GIF", "PNG", "TIFF", "MPO", "WEBP"):
        options = {"lossless": True} if format == "WEBP" else {}
        data = file_of(first, format, save_all=True, append_images=[second], **options)
        assert np.abs(convert(data).astype(int) - (250, 0, 0)).max() <= 5


def test_color_profile_is_ignored():
    plain = constant("RGB", (10, 120, 230), "PNG")
    profiled = constant("RGB", (10, 120, 230), "PNG", icc_profile=b"no profile at all")
    np.testing.assert_array_equal(convert(plain), convert(profiled))


# EXIF


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_ignored_unless_asked_for(orientation, format):
    pixels = photograph(60, 90)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"PNG": {}, "JPEG": {"quality": 95}, "WEBP": {"lossless": True}}[format]
    plain = file_of(Image.fromarray(pixels), format, **options)
    turned = file_of(Image.fromarray(pixels), format, exif=exif, **options)
    np.testing.assert_array_equal(convert(turned, 40), convert(plain, 40))
    source = Image.open(io.BytesIO(turned))
    upright = file_of(ImageOps.exif_transpose(source), "PNG")
    result = convert(turned, 40, apply_exif=True)
    difference = np.abs(result.astype(int) - convert(upright, 40))
    assert difference.max() <= 1  # rows and columns are summed in the other order
    if orientation > 1:
        assert np.abs(result.astype(int) - convert(plain, 40)).mean() > 5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0garbage that is no TIFF",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40,
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\xff\xff\x7f\xff\xff\xff\x7f",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0",
    ],
)
@pytest.mark.filterwarnings("ignore")  # of Pillow's, on damaged metadata
def test_broken_exif_does_not_matter(content):
    plain = file_of(Image.fromarray(photograph(30, 40)), "JPEG")
    for apply_exif in (False, True):
        result = convert(with_app1(plain, content), 16, apply_exif=apply_exif)
        np.testing.assert_array_equal(result, convert(plain, 16))


# Encoding and options


def test_raw_is_the_pixels_and_jpeg_is_near_them():
    pixels = photograph(64, 64)
    options = ImageOptions(size=64, encoding="raw")
    assert np.array_equal(np.frombuffer(encode(pixels, options), np.uint8), pixels.ravel())
    encoded = [encode(pixels, ImageOptions(size=64, quality=quality)) for quality in (95, 50)]
    assert len(encoded[1]) < len(encoded[0]) < pixels.size
    near = [psnr(convert(data, 64), pixels) for data in encoded]
    assert near[0] > 36
    assert near[0] > near[1] + 3


def test_conversion_is_deterministic():
    data = file_of(Image.fromarray(photograph(300, 400)), "JPEG")
    options = ImageOptions(size=128)
    first, second = (encode(decode_and_resize(data, options), options) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "pixels", [np.zeros((8, 8, 3)), np.zeros((8, 9, 3), np.uint8), np.zeros((8, 8), np.uint8)]
)
def test_encoding_refuses_other_pixels(pixels):
    with pytest.raises(ValueError, match=r"Expected uint8 \[8, 8, 3\]"):
        encode(pixels, ImageOptions(size=8))


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"size": 5000},
        {"filter": "nearest"},
        {"encoding": "png"},
        {"quality": 0},
        {"quality": 101},
        {"max_pixels": 0},
        {"max_pixels": images.MAX_PIXELS + 1},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=f"Received: {next(iter(options))}="):
        ImageOptions(**options)


def test_reject_survives_pickling():
    reject = pickle.loads(pickle.dumps(Reject("truncated", "ends early")))  # noqa: S301
    assert (reject.reason, reject.detail, str(reject)) == (
        "truncated",
        "ends early",
        "truncated: ends early",
    )


@pytest.mark.skipif("AVIF" not in images.FORMATS, reason="this Pillow was built without libavif")
@pytest.mark.parametrize("orientation", [1, 6])
def test_avif(orientation):
    """Orientation is in a box of the container; Pillow tells it as EXIF."""
    pixels = photograph(64, 64)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file_of(Image.fromarray(pixels), "AVIF", quality=95, exif=exif.tobytes())
    expected = np.rot90(pixels, -1) if orientation == 6 else pixels
    assert psnr(convert(data, 64, apply_exif=True), expected) > 35
    assert psnr(convert(data, 64), pixels) > 35

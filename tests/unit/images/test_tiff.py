"""TIFFs of many layouts, and those whose directory alone would cost minutes or gigabytes."""

import resource
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from image_files import tiff

from translate.errors import ItemError
from translate.images.codec import decode

RNG = np.random.default_rng(3)


def planes(samples, *, tile=None, photometric=2, extra=(), order="<"):
    """(H, W, C) samples stored as a plane each, uncompressed, in one strip or in square tiles."""
    height, width, channels = samples.shape
    stack = np.moveaxis(samples, 2, 0)
    tags = {}
    if tile is None:
        tags[278] = (4, [height])
    else:
        assert height % tile == width % tile == 0
        stack = stack.reshape(channels, height // tile, tile, width // tile, tile).swapaxes(2, 3)
        tags |= {322: (4, [tile]), 323: (4, [tile])}
    pieces = channels if tile is None else channels * height * width // tile**2
    piece_bytes = samples.nbytes // pieces
    offsets, lengths = [8 + at * piece_bytes for at in range(pieces)], [piece_bytes] * pieces
    tags |= {273: (4, offsets), 279: (4, lengths)} if tile is None else {324: (4, offsets), 325: (4, lengths)}
    tags |= {256: (4, [width]), 257: (4, [height]), 258: (3, [samples.itemsize * 8] * channels), 277: (3, [channels]),
             284: (3, [2]), 339: (3, [1] * channels)}
    if extra:
        tags[338] = (3, list(extra))
    data = stack.reshape(-1, width)
    if tile is None:
        return tiff(data, photometric=photometric, tags=tags, order=order)
    return tiff(data, photometric=photometric, tags=tags, order=order, without=(273, 278, 279))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("tile", [None, 16])
class TestPlanes:
    def test_16_bits(self, tile, order):
        eight = RNG.integers(0, 256, (32, 48, 3), dtype=np.uint8)
        picture = decode(planes(eight.astype(np.uint16) * 257, tile=tile, order=order))
        np.testing.assert_array_equal(picture.pixels, eight)
        assert picture.notes == ("precision_16_to_8",)

    def test_16_bits_with_alpha(self, tile, order):
        eight = RNG.integers(1, 256, (32, 48, 4), dtype=np.uint8)
        picture = decode(planes(eight.astype(np.uint16) * 257, tile=tile, order=order, extra=[2]))
        np.testing.assert_array_equal(np.dstack([picture.pixels, picture.alpha]), eight)

    def test_8_bits(self, tile, order):
        eight = RNG.integers(0, 256, (32, 48, 3), dtype=np.uint8)
        np.testing.assert_array_equal(decode(planes(eight, tile=tile, order=order)).pixels, eight)

    def test_8_bits_with_premultiplied_alpha(self, tile, order):
        alpha = RNG.integers(1, 256, (32, 48, 1))
        color = RNG.integers(0, 256, (32, 48, 3)) * alpha // 255
        stored = np.concatenate([color, alpha], axis=-1).astype(np.uint8)
        apart = decode(planes(stored, tile=tile, order=order, extra=[1]))
        together = decode(tiff(stored, photometric=2, tags={338: (3, [1])}, order=order))
        np.testing.assert_array_equal(apart.pixels, together.pixels)
        np.testing.assert_array_equal(apart.alpha, alpha[..., 0])

    def test_grey_with_alpha_is_refused_not_made_transparent(self, tile, order):
        grey = RNG.integers(0, 256, (32, 48, 2), dtype=np.uint8)
        data = planes(grey, tile=tile, order=order, photometric=1, extra=[2])
        assert code_of(data) == "input.unsupported_mode"


def code_of(data):
    with pytest.raises(ItemError) as caught:
        decode(data)
    return caught.value.code


def test_planes_that_are_cut():
    data = planes(RNG.integers(0, 65_536, (32, 48, 3), dtype=np.uint16))
    assert code_of(data[:8] + data[3000:]) == "input.truncated"


@pytest.mark.parametrize(
    ("number", "name"), [(50001, "WebP"), (34712, "JPEG 2000"), (50002, "JPEG XL"), (34887, "LERC")]
)
def test_a_compression_that_is_not_read_is_named(number, name, capfd):
    with pytest.raises(ItemError, match=f"compressed by {name}") as caught:
        decode(tiff(np.zeros((8, 8, 3), np.uint8), photometric=2, tags={259: (3, [number])}))
    assert caught.value.code == "input.unsupported_mode"
    assert capfd.readouterr().err == "", "libtiff wrote words of its own"


def test_big_endian_bigtiff():
    y, x = np.mgrid[:12, :16]
    picture = decode((Path(__file__).parents[2] / "tiff" / "bigtiff_big_endian.tif").read_bytes())
    np.testing.assert_array_equal(picture.pixels, np.dstack([x * 16, y * 20, x * y]).astype(np.uint8))


def test_big_endian_bigtiff_cut_anywhere():
    whole = (Path(__file__).parents[2] / "tiff" / "bigtiff_big_endian.tif").read_bytes()
    # The last bytes only say that nothing follows.
    assert {code_of(whole[:end]) for end in range(16, len(whole) - 8, 7)} == {"input.truncated"}


def test_grey_with_premultiplied_alpha():
    stored = np.dstack([np.full((4, 6), 50, np.uint8), np.full((4, 6), 100, np.uint8)])
    picture = decode(tiff(stored, photometric=1, tags={338: (3, [1])}))
    assert (picture.pixels == 127).all()
    assert (picture.alpha == 100).all()


class TestCountedFirst:
    """Each was decoded before, in gigabytes or minutes."""

    @pytest.mark.parametrize("tags", [(273, 279), (324, 325)])
    def test_millions_of_pieces(self, tags):
        total = 2_500_000
        many = {tag: (4, [8] * total) for tag in tags} | {322: (4, [16]), 323: (4, [16])}
        data = tiff(np.zeros((8, 8, 3), np.uint8), photometric=2, tags=many)
        peak_kib, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        assert code_of(data) == "input.too_slow"
        assert time.process_time() - start < 0.5
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kib < 50_000

    def test_the_most_pieces_that_are_usual(self):
        rows = RNG.integers(0, 256, (20_000, 4, 3), dtype=np.uint8)
        tags = {278: (4, [1]), 273: (4, [8 + 12 * at for at in range(20_000)]), 279: (4, [12] * 20_000)}
        np.testing.assert_array_equal(decode(tiff(rows, photometric=2, tags=tags)).pixels, rows)

    def test_a_hundred_thousand_pages(self):
        page = tiff(np.full((8, 8, 3), 7, np.uint8), photometric=2)
        (start,) = struct.unpack_from("<I", page, 4)
        directory = page[start:]
        (total_tags,) = struct.unpack_from("<H", directory)
        # Pages that all show the same pixels, each pointing to the next.
        next_at = 2 + 12 * total_tags
        data = bytearray(page)
        for _ in range(100_000):
            struct.pack_into("<I", data, len(data) - len(directory) + next_at, len(data))
            data += directory
        start_s = time.process_time()
        picture = decode(bytes(data))
        assert time.process_time() - start_s < 0.5
        assert (picture.notes, int(picture.pixels.max())) == (("first_frame",), 7)

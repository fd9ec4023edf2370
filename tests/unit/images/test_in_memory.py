"""Arrays, Pillow images and tensors to pictures and back."""

import io

import numpy as np
import pytest
import torch
from image_files import png
from PIL import Image, ImageCms

from translate.errors import ItemError, UsageError
from translate.images.codec import decode
from translate.images.in_memory import from_array, from_pillow, from_tensor, to_array, to_pillow, to_tensor_like
from translate.images.tensors import to_tensor
from translate.shipped import shipped_folder

PHOTO = shipped_folder("samples") / "photos" / "beach5.jpg"
TURNED = 6


def small():
    return Image.open(PHOTO).convert("RGB").resize((40, 30))


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("data", [
    saved(small(), "JPEG", exif=exif(TURNED)),
    saved(small(), "TIFF", exif=exif(TURNED)),
    saved(small().convert("CMYK"), "JPEG"),
    saved(small().convert("P"), "PNG"),
    saved(small().convert("LA"), "PNG"),
    saved(small().convert("1"), "PNG"),
    saved(small(), "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()),
    png(np.asarray(small().convert("L")).astype(np.uint16) * 257, 16, 0),
], ids=["turned.jpg", "turned.tif", "cmyk", "palette", "grey with alpha", "one bit", "odd profile", "16 bits"])
def test_a_pillow_image_is_seen_as_its_file_would_be(data):
    image = Image.open(io.BytesIO(data))
    expected = decode(data)
    for _ in range(2):  # it is left as it was
        found = from_pillow(image)
        assert np.array_equal(to_array(found), to_array(expected))


def test_a_pillow_image_that_cannot_be_read():
    with pytest.raises(ItemError, match="of mode F") as error:
        from_pillow(Image.new("F", (4, 4)))
    assert error.value.code == "input.unsupported_mode"
    data = PHOTO.read_bytes()
    with pytest.raises(ItemError, match="ends early") as error:
        from_pillow(Image.open(io.BytesIO(data[: len(data) // 2])))
    assert error.value.code == "input.truncated"


def test_arrays_and_pillow_images_come_back_as_they_were():
    rgba = np.asarray(small().convert("RGBA")).copy()
    rgba[..., 3] = np.arange(1, 41)
    for pixels in (rgba, rgba[..., :3]):
        assert np.array_equal(to_array(from_array(pixels)), pixels)
        assert np.array_equal(np.asarray(to_pillow(from_pillow(Image.fromarray(np.ascontiguousarray(pixels))))), pixels)
    grey = rgba[..., 0]
    for each in (grey, grey[..., None]):
        assert np.array_equal(to_array(from_array(each)), np.dstack([grey] * 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_tensors_of_floats(dtype):
    x = to_tensor(np.asarray(small()))
    picture = from_tensor(x.to(dtype))
    if dtype in (torch.float32, torch.float64):
        assert np.array_equal(picture.pixels, np.asarray(small()))
    found = to_tensor_like(picture, x.to(dtype))
    assert found.dtype == dtype
    assert found.shape == x.shape
    assert np.array_equal(from_tensor(x[:1]).pixels[..., 0], np.asarray(small())[..., 0])


def test_tensors_of_bytes_keep_alpha():
    rgba = np.asarray(small().convert("RGBA"))
    x = torch.from_numpy(rgba.transpose(2, 0, 1).copy())
    assert torch.equal(to_tensor_like(from_tensor(x), x), x)
    assert torch.equal(to_tensor_like(from_tensor(x[:3]), x), x[:3])


@pytest.mark.parametrize(("value", "words"), [
    (np.zeros((3, 9, 8), np.uint8), r"looks like \(C, H, W\): transpose it, array.transpose\(1, 2, 0\)"),
    (np.zeros((9, 8, 3), np.float32), "dtype float32; expected uint8 HWC"),
    (torch.zeros(9, 8, 3), r"looks like \(H, W, C\): transpose it, tensor.permute\(2, 0, 1\)"),
    (torch.zeros(3, 9, 8, dtype=torch.int64), "dtype torch.int64; expected CHW or NCHW"),
    (torch.zeros(4, 9, 8), "1 or 3 channels of floats"),
    (torch.full((3, 9, 8), 255.0), r"values from 255 to 255; expected finite ones in \[-1, 1\]; for \[0, 255\] give"),
    (torch.full((3, 9, 8), torch.nan), "values from nan"),
    (torch.full((3, 9, 8), -torch.inf), "values from -inf"),
])
def test_what_is_no_picture_says_what_to_do(value, words):
    with pytest.raises(UsageError, match=words):
        (from_tensor if isinstance(value, torch.Tensor) else from_array)(value)

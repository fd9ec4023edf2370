"""Files that no library writes for us, built byte by byte: PNG chunks, TIFF tags, ICC profiles."""

import struct
import zlib

import numpy as np

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples, bits, color_type, *chunks, size=None):
    """A PNG of (H, W) or (H, W, C) samples; ``size`` writes another (width, height) into the header."""
    height, width = samples.shape[:2]
    rows = []
    for row in samples.reshape(height, -1):
        if bits < 8:
            ones = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]
            packed = np.packbits(ones.ravel()).tobytes()
        else:
            packed = row.astype(">u2" if bits == 16 else "u1").tobytes()
        rows.append(b"\0" + packed)
    header = struct.pack(">IIBBBBB", *(size or (width, height)), bits, color_type, 0, 0, 0)
    return b"".join([PNG_SIGNATURE, png_chunk(b"IHDR", header), *chunks,
                     png_chunk(b"IDAT", zlib.compress(b"".join(rows))), png_chunk(b"IEND", b"")])


def tiff(samples, *, photometric, tags=(), without=(), order="<", bits=None, compression=1):
    """A one-strip TIFF of (H, W) or (H, W, C) samples in their own dtype; ``tags``: {number: (type, values)}, and those
    to leave out."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    raw = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    if bits == 12:
        raw = pack_12_bit(samples)
    if compression == 8:
        raw = zlib.compress(raw)
    kinds = {"u": 1, "i": 2, "f": 3}
    short, long = 3, 4
    entries = {
        256: (long, [width]), 257: (long, [height]), 258: (short, [bits or samples.dtype.itemsize * 8] * channels),
        259: (short, [compression]), 262: (short, [photometric]), 273: (long, [8]), 277: (short, [channels]),
        278: (long, [height]), 279: (long, [len(raw)]), 339: (short, [kinds[samples.dtype.kind]] * channels),
        **dict(tags),
    }
    for number in without:
        del entries[number]
    raw += b"\0" * (len(raw) % 2)
    directory_at = 8 + len(raw)
    extra_at = directory_at + 2 + 12 * len(entries) + 4
    directory, extra = struct.pack(order + "H", len(entries)), b""
    for number, (kind, values) in sorted(entries.items()):
        body = struct.pack(order + {1: "B", short: "H", long: "I"}[kind] * len(values), *values)
        if len(body) > 4:
            body, extra = struct.pack(order + "I", extra_at + len(extra)), extra + body + b"\0" * (len(body) % 2)
        directory += struct.pack(order + "HHI", number, kind, len(values)) + body.ljust(4, b"\0")
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", directory_at) + raw + directory + b"\0" * 4 + extra


def pack_12_bit(samples):
    ones = np.unpackbits(samples.astype(">u2").view(np.uint8).reshape(*samples.shape, 2), axis=-1)[..., 4:]
    return b"".join(np.packbits(row.ravel()).tobytes() for row in ones)


SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_RGB_PRIMARIES = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
P3_PRIMARIES = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_D65, _D50 = np.array([0.95047, 1.0, 1.08883]), np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def rgb_to_xyz_d50(primaries):
    """Matrix from linear RGB with these primaries and white D65 to XYZ relative to D50 (Bradford)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    to_xyz = columns * np.linalg.solve(columns, _D65)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _D65)) @ _BRADFORD
    return adapt @ to_xyz


def srgb_decode(values):
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_encode(linear):
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _icc(color_space, kind, pcs, tags):
    """An ICC profile, version 2.4, with a description, a copyright and the D50 white point added."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(_D50),
        **tags,
    }
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", offset + len(body), len(content))
        body += content
    size = 128 + len(table) + len(body)
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"\0" * 4, 0x02400000, kind, color_space, pcs, b"\0" * 12, b"acsp")
    header += b"\0" * 28 + b"".join(_fixed(value) for value in _D50)
    return header.ljust(128, b"\0") + table + body


def _fixed(value):
    return struct.pack(">i", round(value * 65536))


def _xyz(values):
    return b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in values)


def _gamma_curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _sampled_curve(function, points=1024):
    levels = np.round(function(np.linspace(0, 1, points)) * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", points) + levels.tobytes()


def rgb_profile(primaries, gamma=None):
    """A matrix profile; ``gamma`` None means sRGB's own curve."""
    matrix = rgb_to_xyz_d50(primaries)
    curve = _sampled_curve(srgb_decode) if gamma is None else _gamma_curve(gamma)
    tags = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)}
    return _icc(b"RGB ", b"mntr", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey_profile(gamma):
    return _icc(b"GRAY", b"mntr", b"XYZ ", {b"kTRC": _gamma_curve(gamma)})


def cmyk_profile(lab_of_inks):
    """A printer profile with a 2 x 2 x 2 x 2 table; ``lab_of_inks(c, m, y, k)`` gives (L, a, b) for inks 0 or 1."""
    corners = [lab_of_inks(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    lab = np.array(corners, dtype=float)
    table = np.column_stack([lab[:, 0] * 2.55, lab[:, 1] + 128, lab[:, 2] + 128]).round().astype(np.uint8)
    identity = bytes(range(256))
    matrix = b"".join(_fixed(value) for value in np.eye(3).ravel())
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + identity * 4 + table.tobytes() + identity * 3
    return _icc(b"CMYK", b"prtr", b"Lab ", {b"A2B0": lut, b"A2B1": lut})


def lab_to_srgb(lab):
    """8-bit sRGB of CIELAB (D50), straight from the formulas."""
    lightness, a, b = lab
    fy = (lightness + 16) / 116
    f = np.array([fy + a / 500, fy, fy - b / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _D50
    return srgb_encode(np.linalg.solve(rgb_to_xyz_d50(SRGB_PRIMARIES), xyz)) * 255

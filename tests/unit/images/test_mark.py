"""The mark: what is written comes back, from every format; what others wrote does no harm."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest
from image_files import png_chunk
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from translate.errors import ItemError
from translate.images.codec import decode, encode
from translate.images.formats import WRITTEN
from translate.images.mark import MAX_PACKET_BYTES, SOURCE_TYPE, Mark, model_label, read_mark, to_xmp
from translate.images.picture import Picture

MARK = Mark("monet2photo@1", *("sha256:" + digit * 64 for digit in "abc"))
OURS = "urn:x-translate:mark:1#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"


def a_picture(*, alpha: bool = False, grey: bool = False) -> Picture:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 255, (24, 40, 1 if grey else 3), dtype=np.uint8)
    pixels = np.ascontiguousarray(np.broadcast_to(pixels, (24, 40, 3)))
    return Picture(pixels, rng.integers(0, 255, (24, 40), dtype=np.uint8) if alpha else None, "png")


def with_xmp(packet: bytes, format_: str = "jpeg") -> bytes:
    """A picture that carries this packet, written by Pillow."""
    out = io.BytesIO()
    if format_ == "png":
        chunks = PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", packet.decode())
        Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=chunks)
    else:
        Image.new("RGB", (8, 8)).save(out, format_, xmp=packet)
    return out.getvalue()


def as_elements(mark: Mark = MARK) -> bytes:
    """The same properties in the long form, under other prefixes, among strangers', as editors write them."""
    return f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
    <x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <r:Description r:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:i="{IPTC}" xmlns:t="{OURS}">
      <dc:title><r:Alt><r:li xml:lang="x-default">A field &amp; a sky</r:li></r:Alt></dc:title>
      <i:DigitalSourceType>{SOURCE_TYPE}</i:DigitalSourceType>
      <t:Model>{mark.model}</t:Model> <t:ModelDigest>{mark.model_digest}</t:ModelDigest>
      <t:SourceDigest>{mark.source_digest}</t:SourceDigest>
    </r:Description>
    <r:Description r:about="" xmlns:t="{OURS}" t:WorkDigest="{mark.work_digest}"/>
    </r:RDF></x:xmpmeta>{" " * 2000}<?xpacket end="w"?>""".encode()


@pytest.mark.parametrize("format_", WRITTEN)
@pytest.mark.parametrize("kind", [{}, {"alpha": True}, {"grey": True}])
def test_a_mark_comes_back_and_moves_no_pixel(format_, kind):
    picture = a_picture(**kind)
    plain, marked = encode(picture, format_, 90), encode(picture, format_, 90, to_xmp(MARK))
    assert read_mark(marked) == MARK
    assert marked == encode(picture, format_, 90, to_xmp(MARK)), "a repeat gives the same bytes"
    assert read_mark(plain) is None
    before, after = decode(plain), decode(marked)
    assert np.array_equal(before.pixels, after.pixels)
    assert (before.alpha is None) == (after.alpha is None)
    assert before.alpha is None or np.array_equal(before.alpha, after.alpha)
    assert len(marked) - len(plain) < 1000


def test_the_packet_is_what_the_standard_says():
    packet = to_xmp(MARK)
    assert packet.startswith(b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    root = ET.fromstring(packet)
    (description,) = root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert description.get(f"{{{IPTC}}}DigitalSourceType") == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )


def test_an_editor_may_have_written_it_anew():
    assert read_mark(with_xmp(as_elements())) == MARK
    # Pillow opens a picture and saves it with its XMP, so pixels may change under a mark: it is a claim.
    image = Image.open(io.BytesIO(encode(a_picture(), "webp", 90, to_xmp(MARK))))
    out = io.BytesIO()
    image.rotate(180).save(out, "JPEG", xmp=image.info["xmp"])
    assert read_mark(out.getvalue()) == MARK


def test_names_that_xml_does_not_like():
    for name in ("a&b<c>\"d'@2.pth", "ünï \u65e5\u672c \U0001f600", "]]>", "{model}", "&lt;"):
        label = model_label(name)
        assert label == name
        mark = Mark(label, *("sha256:" + "0" * 64,) * 3)
        for format_ in WRITTEN:
            assert read_mark(encode(a_picture(), format_, 90, to_xmp(mark))) == mark


def test_a_label_says_nothing_of_the_machine_and_can_be_printed():
    assert model_label("monet2photo@1") == "monet2photo@1"
    assert model_label("/home/somebody/private/latest_net_G.pth") == "latest_net_G.pth"
    assert model_label("s3://bucket/models/mine/") == "mine"
    odd = model_label("a\x1b[31m\n\udcff\u202eb\0.pth")
    assert odd == "a\ufffd[31m\ufffd\ufffd\ufffdb\ufffd.pth"
    mark = Mark(odd, *("sha256:" + "0" * 64,) * 3)
    assert read_mark(encode(a_picture(), "png", 90, to_xmp(mark))) == mark
    assert len(model_label("x" * 5000)) == 200


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_pictures_of_others_have_none(format_):
    out = io.BytesIO()
    Image.new("L" if format_ in ("GIF", "BMP") else "RGB", (8, 8), 90).save(out, format_)
    assert read_mark(out.getvalue()) is None


FOREIGN = as_elements().decode()


@pytest.mark.parametrize(
    "packet",
    [
        FOREIGN.replace(OURS, "urn:other#"),  # says that a machine made it, but not that we did
        FOREIGN.replace("compositeWith", "x"),
        FOREIGN.replace(MARK.source_digest, "sha256:12"),
        FOREIGN.replace(MARK.source_digest, ""),
        FOREIGN.replace(MARK.model, ""),
        FOREIGN.replace(MARK.model, "x" * 201),
        FOREIGN.replace(MARK.model, "\u009b31m"),  # an escape sequence for the reader's terminal
        FOREIGN.replace(MARK.model, "\u202egpj.exe"),
        FOREIGN.replace(MARK.model, "&#27;[31m"),
        FOREIGN.replace("<t:Model>", "<t:Model>other@1</t:Model><t:Model>"),  # says two things
        FOREIGN.replace("</x:xmpmeta>", ""),
        "<<<",
        "\0" * 50,
        "",
    ],
)
@pytest.mark.parametrize("format_", ["jpeg", "png"])
def test_what_is_not_wholly_ours_is_no_mark(packet, format_):
    assert read_mark(with_xmp(packet.encode() or b" ", format_)) is None


def test_entities_are_refused_before_they_are_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("monet2photo@1")
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    for declaration in (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>',
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}<!ENTITY e "&l9;">]>',
        f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{secret.as_uri()}"> %p;]>',
        '<!DOCTYPE x [<!ENTITY e "monet2photo@1">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">',
    ):
        body = FOREIGN.replace("<x:xmpmeta", declaration + "<x:xmpmeta", 1)
        for text in (body.replace(MARK.model, "&e;"), body):
            assert read_mark(with_xmp(text.encode())) is None
            assert read_mark(with_xmp(b"\xff\xfe" + text.encode("utf-16-le"))) is None
    assert read_mark(with_xmp(FOREIGN.encode())) == MARK, "without them the same text is a mark"


def test_large_packets_are_passed_over():
    deep = b"<a>" * 300_000
    assert read_mark(with_xmp(deep, "png")) is None
    long = as_elements().replace(b" " * 2000, b" " * MAX_PACKET_BYTES)
    assert read_mark(with_xmp(long, "webp")) is None
    body = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 50_000_000)
    bomb = encode(a_picture(), "png", 90)
    assert read_mark(bomb[:33] + png_chunk(b"iTXt", body) + bomb[33:]) is None


@pytest.mark.parametrize("format_", WRITTEN)
def test_damage_ends_as_no_mark_or_no_image(format_):
    whole = encode(a_picture(), format_, 90, to_xmp(MARK))
    rng = np.random.default_rng(11)
    ends = set()
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(256)
        at = rng.integers(0, len(data))
        del data[at : at + rng.integers(0, 2) * rng.integers(40)]
        try:
            ends.add(type(read_mark(bytes(data))).__name__)
        except ItemError as error:
            ends.add(error.code)
    assert {"Mark", "input.truncated"} <= ends


def test_what_is_no_image_says_so():
    with pytest.raises(ItemError, match=r"input.not_an_image"):
        read_mark(b"a text, whatever its name says")
    with pytest.raises(ItemError, match=r"input.empty"):
        read_mark(b"")


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_place_and_owner_of_a_photograph_do_not_go_out(format_):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Somebody Real"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 51.0, 29.6), 3: "E", 4: (2.0, 17.0, 40.2)})
    photo = io.BytesIO()
    Image.new("RGB", (8, 8), "navy").save(photo, format_, exif=exif.tobytes())
    assert Image.open(photo).getexif().get_ifd(ExifTags.IFD.GPSInfo)[2] == (48.0, 51.0, 29.6)
    for to in WRITTEN:
        data = encode(decode(photo.getvalue()), to, 90, to_xmp(MARK))
        assert b"Somebody" not in data
        image = Image.open(io.BytesIO(data))
        image.load()
        if to == "tiff":  # whose every property is a tag: those of the pixels, and the mark
            assert set(image.tag_v2) <= {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 700}
        else:
            assert len(image.getexif()) == 0
        assert set(image.info) - {
            "jfif", "jfif_version", "jfif_unit", "jfif_density", "background", "loop", "timestamp", "duration",
            "compression", "dpi", "resolution",
        } <= {"xmp", "XML:com.adobe.xmp"}

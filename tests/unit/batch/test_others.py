"""What lies beside images is counted in bounded memory."""

from translate.batch.others import KINDS, NAMES, Others


def test_extensions_are_counted_and_the_first_are_named():
    others = Others()
    for key in ("a/README", "b.MP4", "c.txt", "d.txt", "e.mp4", "f.txt"):
        others.note(key)
    assert others.words == "3 .txt, 2 .mp4, 1 without extension"
    assert others.names == ["a/README", "b.MP4", "c.txt", "d.txt", "e.mp4"]


def test_numbered_files_do_not_fill_the_memory():
    others = Others()
    for number in range(10_000):
        others.note(f"part.{number:05d}")
    assert others.extensions.total() == 10_000
    assert len(others.extensions) == KINDS + 1
    assert others.words.startswith(f"{10_000 - KINDS:,} of other extensions, 1 .0")
    assert len(others.names) == NAMES

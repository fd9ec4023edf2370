"""The table of benchmarks: what is measured again replaces its own rows, and nothing else."""

from tests.benchmarks.__main__ import HEAD, PAGE, TABLE, merged


def test_some_subjects_are_made_anew_and_the_others_stay():
    first = merged("", {"job": ["| job | a | 1 |\n"], "engines": ["| engines | b | 2 |\n"]})
    assert first == HEAD + "| engines | b | 2 |\n| job | a | 1 |\n"
    assert merged(first, {"job": ["| job | a | 3 |\n", "| job | c | 4 |\n"]}) == (
        HEAD + "| engines | b | 2 |\n| job | a | 3 |\n| job | c | 4 |\n")


def test_the_page_has_a_place_for_it():
    assert len(TABLE.findall(PAGE.read_text("utf-8"))) == 1

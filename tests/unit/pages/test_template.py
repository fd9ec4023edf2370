"""What all pages share."""

from translate.pages.template import readable


def test_readable_leaves_the_world_s_scripts_alone():
    assert readable("写真/Œuvre é.jpg") == "写真/Œuvre é.jpg"
    assert readable("a\tb") == "a\\tb"

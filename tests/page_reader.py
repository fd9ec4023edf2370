"""What stands in an HTML page, for tests."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """Tags with their attributes, and the text outside of style and script."""

    def __init__(self, data):
        super().__init__()
        self.tags, self.text, self._raw = [], "", False
        self.feed(data.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._raw = tag in ("style", "script")

    def handle_endtag(self, tag):  # noqa: ARG002 - the signature is HTMLParser's
        self._raw = False

    def handle_data(self, data):
        if not self._raw:
            self.text += data

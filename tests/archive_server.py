"""A web server on this machine that offers files as a real one does, and breaks off where it is told to."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ArchiveServer:
    """``files``: path -> bytes; ``cuts``: after how many body bytes the next answers break off."""

    def __init__(self):
        self.files = {}
        self.cuts = []
        self.ranges = True
        self.content_type = "application/octet-stream"
        self.etag = '"1"'
        self.busy = 0
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request):
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        request.close_connection = True
        if self.busy > 0:
            self.busy -= 1
            request.send_error(503)
            return
        body = self.files.get(request.path)
        if body is None:
            request.send_error(404)
            return
        start = 0
        if wanted and self.ranges and request.headers.get("If-Range") == self.etag:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            request.send_response(200)
        request.send_header("Content-Type", self.content_type)
        request.send_header("Content-Length", str(len(body) - start))
        request.send_header("ETag", self.etag)
        request.end_headers()
        part = body[start:]
        request.wfile.write(part[: self.cuts.pop(0)] if self.cuts else part)

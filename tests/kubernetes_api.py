"""So much of a Kubernetes API that a real `kubectl create` of a RayJob is content: which kinds there are, and a post.

No cluster can run where the tests do; the command, its arguments and what it sends are real.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

KIND = {"group": "ray.io", "version": "v1", "kind": "RayJob"}
VERSION = {"groupVersion": "ray.io/v1", "version": "v1"}
PAGES = {
    "/api": {"kind": "APIVersions", "versions": []},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1",
              "groups": [{"name": "ray.io", "versions": [VERSION], "preferredVersion": VERSION}]},
    "/apis/ray.io/v1": {
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "ray.io/v1",
        "resources": [{"name": "rayjobs", "singularName": "rayjob", "namespaced": True, "kind": "RayJob",
                       "verbs": ["create"]}]},
    "/openapi/v3": {"paths": {"apis/ray.io/v1": {"serverRelativeURL": "/openapi/v3/apis/ray.io/v1"}}},
    "/openapi/v3/apis/ray.io/v1": {
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": KIND["version"]},
        "paths": {"/apis/ray.io/v1/namespaces/{namespace}/rayjobs/{name}": {"patch": {
            "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
            "x-kubernetes-group-version-kind": KIND}}}},
}
"""What anybody with an account may read: which kinds there are."""


class KubernetesApi:
    """``with KubernetesApi() as api``: ``kubeconfig`` (a document), and ``asked``: (method, path, body) of what was not
    about which kinds there are."""

    def __enter__(self):
        self.asked = asked = []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                path = self.path.partition("?")[0]
                if path not in PAGES:
                    asked.append(("GET", path, None))
                self._answer(*((200, PAGES[path]) if path in PAGES else (404, {"kind": "Status", "code": 404})))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.append(("POST", self.path.partition("?")[0], body))
                self._answer(201, {**body, "metadata": {**body["metadata"], "name": "translate-retrain-x7k2p"}})

            def _answer(self, code, document):
                data = json.dumps(document).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()
        here = {"cluster": {"server": f"http://127.0.0.1:{self._server.server_port}"}, "name": "here"}
        self.kubeconfig = {"apiVersion": "v1", "kind": "Config", "clusters": [here], "current-context": "here",
                           "contexts": [{"name": "here", "context": {"cluster": "here", "user": "starter"}}],
                           "users": [{"name": "starter", "user": {}}]}
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

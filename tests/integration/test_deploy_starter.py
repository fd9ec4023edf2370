"""The CronJob's command as it is written there, by a real kubectl: it creates the retraining, no more."""

import json
import os
import shutil
import subprocess

import pytest
from kubernetes_api import KubernetesApi
from manifests import FOLDER, documents

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")


def test_the_cronjob_creates_the_retraining_and_asks_for_nothing_else(tmp_path):
    [cron] = documents("kubernetes/retrain-cronjob.yaml")
    [retraining] = documents("kubernetes/retrain-rayjob.yaml")
    [container] = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    command = [word.replace("/etc/translate-retrain", str(FOLDER / "kubernetes")) for word in container["command"]]
    with KubernetesApi() as api:
        (tmp_path / "config").write_text(json.dumps(api.kubeconfig))
        env = {**os.environ, "KUBECONFIG": str(tmp_path / "config"), "HOME": str(tmp_path)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "rayjob.ray.io/translate-retrain-x7k2p created\n"), done.stderr
    wrote = [each for each in api.asked if each[1] != "/version"]
    assert wrote == [("POST", "/apis/ray.io/v1/namespaces/translate/rayjobs", retraining)]
    [role] = [each for each in documents("kubernetes/access.yaml") if each["kind"] == "Role"]
    assert role["rules"] == [{"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["create"]}]

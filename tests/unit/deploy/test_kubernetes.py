"""The Kubernetes manifests: valid by their schemas, and as careful as they say."""

import json
import shutil
import subprocess
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from manifests import FOLDER, documents, kubernetes, pods
from referencing import Registry, Resource

KUBERNETES = "1.34"
DEFINITIONS = files("kubernetes_validate") / f"kubernetes-json-schema/v{KUBERNETES}.0-local-strict/_definitions.json"
MANIFESTS = list(kubernetes())
NAMES = [f"{name}: {document['kind']}" for name, document in MANIFESTS]
PODS = [(f"{name} {path}", pod) for name, document in MANIFESTS for path, pod in pods(document)]
POD_NAMES = [name for name, _ in PODS]


@pytest.fixture(scope="module")
def kuberay():
    """Validate a document of KubeRay's."""
    schema = yaml.safe_load((Path(__file__).parent / "kuberay.schema.yaml").read_text())
    kubernetes_definitions = Resource.from_contents(json.loads(DEFINITIONS.read_text()))
    registry = kubernetes_definitions @ Registry()
    return lambda document: jsonschema.Draft202012Validator(
        {**schema, "$ref": f"#/$defs/{document['kind']}"}, registry=registry).validate(document)


def check(document, kuberay):
    if document["apiVersion"] == "ray.io/v1":
        kuberay(document)
    else:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize(("name", "document"), MANIFESTS, ids=NAMES)
def test_every_manifest_is_valid(name, document, kuberay):
    check(document, kuberay)
    assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "translate", name


@pytest.mark.parametrize("where", [
    ["entrypoint_"], ["rayClusterSpec", "headGroupSpec", "template", "spec", "containers", 0, "imagee"],
    ["rayClusterSpec", "workerGroupSpecs", 0, "replica"], ["rayClusterSpec", "authOptions", "token"],
])
def test_a_slip_of_the_pen_is_found(where, kuberay):
    [document] = documents("kubernetes/batch-rayjob.yaml")
    node = document["spec"]
    for key in where[:-1]:
        node = node[key]
    node[where[-1]] = "x"
    with pytest.raises(jsonschema.ValidationError):
        kuberay(document)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kustomize_puts_them_together(kuberay):
    built = subprocess.run(["kubectl", "kustomize", FOLDER / "kubernetes"], capture_output=True, text=True, timeout=120,
                           check=True).stdout
    found = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(built)}
    for document in found.values():
        check(document, kuberay)
    created = yaml.safe_load(found["ConfigMap", "translate-retrain"]["data"]["retrain-rayjob.yaml"])
    assert created == documents("kubernetes/retrain-rayjob.yaml")[0]


def test_pods_were_found():
    assert {name.split()[0] for name in POD_NAMES} >= {"batch-rayjob.yaml", "raycluster.yaml", "retrain-cronjob.yaml",
                                             "retrain-raycronjob.yaml", "retrain-rayjob.yaml", "train-rayjob.yaml"}


@pytest.mark.parametrize("pod", [pod for _, pod in PODS], ids=POD_NAMES)
def test_every_pod_keeps_to_the_restricted_standard(pod):
    spec = pod["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "hostNetwork" not in spec
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert container["resources"]["limits"]["memory"]
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
        assert not container["image"].endswith(":latest")
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize(("name", "pod"), PODS, ids=POD_NAMES)
def test_only_the_starter_speaks_to_the_api_of_kubernetes(name, pod):
    assert pod["spec"]["automountServiceAccountToken"] is name.startswith("retrain-cronjob.yaml")


def test_every_ray_cluster_wants_a_token_and_is_of_our_ray():
    specs = [document["spec"] for _, document in MANIFESTS if document["apiVersion"] == "ray.io/v1"]
    specs = [spec.get("jobTemplate", spec) for spec in specs]
    for spec in [spec.get("rayClusterSpec", spec) for spec in specs]:
        assert spec["authOptions"] == {"mode": "token"}
        assert spec["rayVersion"] == version("ray")
        groups = [spec["headGroupSpec"], *spec.get("workerGroupSpecs", [])]
        assert all(group["template"]["spec"]["terminationGracePeriodSeconds"] >= 60 for group in groups)


def test_the_schedule_of_both_is_the_same_job():
    [alpha] = documents("kubernetes/retrain-raycronjob.yaml")
    [plain] = documents("kubernetes/retrain-rayjob.yaml")
    [cron] = documents("kubernetes/retrain-cronjob.yaml")
    assert alpha["spec"]["jobTemplate"] == plain["spec"]
    assert alpha["spec"]["schedule"] == cron["spec"]["schedule"]


def test_every_pod_is_within_a_network_policy():
    selected = [document["spec"]["podSelector"].get("matchLabels") for document in documents("kubernetes/network.yaml")]
    assert None in selected, "nobody may come in where nothing else is said"
    for name, pod in PODS:
        labels = pod["metadata"]["labels"].items()
        assert any(want and want.items() <= labels for want in selected), name


def test_no_manifest_holds_a_secret():
    assert not [name for name, document in MANIFESTS if document["kind"] == "Secret"]
    for name, pod in PODS:
        for container in pod["spec"]["containers"]:
            assert {each["name"] for each in container.get("env", [])} <= {"HOME"}, name

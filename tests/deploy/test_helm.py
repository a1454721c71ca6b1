"""The Helm chart, rendered by Helm itself. No cluster is needed, and none was used."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

from eventimport.settings import Settings, describe_settings

CHART = Path(__file__).resolve().parents[2] / "deploy/helm/eventimport"
LEAST: dict[str, Any] = {"existingSecret": "eventimport"}
ALL: dict[str, Any] = {
    **LEAST,
    "api": {"autoscaling": {"enabled": True}},
    "worker": {"keda": {"enabled": True}},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecretName": "tls"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {"apiFrom": [{"namespaceSelector": {}}]},
    "imagePullSecrets": [{"name": "registry"}],
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "events", "operator": "Exists"}],
    "podAnnotations": {"team": "events"},
    "serviceAccount": {"annotations": {"role": "s3"}},
}
SECRETS = {
    name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field)
}


def manifests(values: dict[str, Any]) -> list[dict[str, Any]]:
    """What an installation would create."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name="events", namespace="production")
    texts = [text for name, text in files.items() if not name.endswith(".txt")]
    return [found for text in texts for found in yaml.safe_load_all(text) if found]


def pods(documents: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The templates of Pods, by the name of what makes them."""
    for document in documents:
        if document["kind"] in {"Deployment", "Job"}:
            yield document["metadata"]["name"], document["spec"]["template"]


def test_what_is_created() -> None:
    least = [(found["kind"], found["metadata"]["name"]) for found in manifests(LEAST)]
    assert sorted(least) == [
        ("Deployment", "events-eventimport-api"),
        ("Deployment", "events-eventimport-worker"),
        ("Job", "events-eventimport-migrate"),
        ("NetworkPolicy", "events-eventimport"),
        ("NetworkPolicy", "events-eventimport-ingress"),
        ("PodDisruptionBudget", "events-eventimport-api"),
        ("PodDisruptionBudget", "events-eventimport-worker"),
        ("Service", "events-eventimport"),
        ("ServiceAccount", "events-eventimport"),
    ]
    added = {found["kind"] for found in manifests(ALL)} - {kind for kind, _ in least}
    assert added == {"HorizontalPodAutoscaler", "Ingress", "ScaledObject", "ServiceMonitor"}


@pytest.mark.parametrize("values", [LEAST, ALL], ids=["least", "all"])
def test_pods_are_hardened_and_selected(values: dict[str, Any]) -> None:
    documents = manifests(values)
    settings = {setting.variable for setting in describe_settings()}
    labels = {}
    for name, pod in pods(documents):
        labels[name] = pod["metadata"]["labels"]
        assert pod["spec"]["securityContext"]["runAsNonRoot"], name
        assert pod["spec"]["automountServiceAccountToken"] is False
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"], name
        assert {variable["name"] for variable in container["env"]} <= settings
        assert {variable["name"] for variable in container["env"]}.isdisjoint(SECRETS)
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "Deployment":
            wanted = spec["selector"]["matchLabels"].items()
            assert wanted <= labels[document["metadata"]["name"]].items()
        elif document["kind"] in {"Service", "PodDisruptionBudget"}:
            selector = spec["selector"]
            wanted = selector.get("matchLabels", selector).items()
            assert sum(wanted <= found.items() for found in labels.values()) == 1


def test_an_autoscaler_sets_the_number_of_pods() -> None:
    for values, replicas in ((LEAST, {2}), (ALL, {None})):
        found = [one["spec"] for one in manifests(values) if one["kind"] == "Deployment"]
        assert {spec.get("replicas") for spec in found} == replicas


@pytest.mark.parametrize("values", [LEAST, ALL], ids=["least", "all"])
def test_kubernetes_accepts_it(values: dict[str, Any]) -> None:
    """If kubernetes-validate is installed, which has the schemas of Kubernetes in 108 MB."""
    validator = pytest.importorskip("kubernetes_validate")
    for document in manifests(values):
        if document["kind"] not in {"ScaledObject", "ServiceMonitor"}:
            validator.validate(document, validator.latest_version(), strict=True)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({}, "existingSecret"),
        ({"replicas": 3}, "replicas"),
        ({"api": {"replicas": "two"}}, "/api/replicas"),
        ({"settings": {"STORAGE_PLACE": "local"}}, "/settings/STORAGE_PLACE"),
        ({"settings": {"public_url": "https://x"}}, "public_url"),
        ({"settings": {"SECRET_KEY": "in the open"}}, "SECRET_KEY"),
        ({"worker": {"keda": {"prometheusAddress": "prometheus"}}}, "prometheusAddress"),
        ({"networkPolicy": {"egressPorts": [70000]}}, "/networkPolicy/egressPorts"),
        ({"serviceMonitor": {"interval": 30}}, "/serviceMonitor/interval"),
    ],
)
def test_wrong_values_are_named(wrong: dict[str, Any], place: str) -> None:
    values = wrong if place == "existingSecret" else {**LEAST, **wrong}
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmError, match=place):
        chart.render(values, name="events", namespace="production")


def test_every_secret_must_be_in_the_secret() -> None:
    assert len(SECRETS) > 5
    for name in SECRETS:
        with pytest.raises(helm.HelmError, match=name):
            manifests({**LEAST, "settings": {name: "in the open"}})


def test_helm_finds_no_fault() -> None:
    found = helm.lint(CHART, values=LEAST)
    assert [message for message in found["messages"] if message["severity"] > 1] == []

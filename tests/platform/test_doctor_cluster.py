"""The doctor's look at the cluster: away, not meant, without rights, well."""

from __future__ import annotations

import pytest

from apps.cluster.kube.api import NoCluster, Unreachable
from apps.cluster.kube.rights import NEEDED
from marketplace.doctor import _cluster
from tests.cluster_app.fake_cluster import FakeCluster

ALL = {(verb, kind) for kind, verbs in NEEDED.items() for verb in verbs}


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster("jobs")


def test_all_is_well(cluster):
    cluster.rights = ALL

    found = _cluster(cluster)

    assert (found.level, found.text) == ("ok", "Kubernetes 1.20.2; all rights in jobs are there")


def test_missing_rights_are_named(cluster):
    cluster.rights = ALL - {("create", "jobs"), ("list", "events")}

    found = _cluster(cluster)

    assert found.level == "fail"
    assert found.text.startswith("Kubernetes 1.20.2; no right in jobs to create jobs, list events – ")


@pytest.mark.parametrize(
    ("error", "level"), [(Unreachable("no answer"), "fail"), (NoCluster("no cluster is configured"), "warn")]
)
def test_server_that_is_away_and_process_that_needs_none(cluster, error, level):
    cluster.broken = error

    found = _cluster(cluster)

    assert found.level == level
    assert str(error) in found.text

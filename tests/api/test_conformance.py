"""The API keeps what its own OpenAPI document promises: no 5xx, no answer that is not described there.

Requests are generated from the document, valid and invalid ones, and sent through WSGI as alice, who has a
folder, two photos and a job, so that generated ids can be swapped for real ones.
"""

from __future__ import annotations

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from knox.models import get_token_model
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from marketplace.wsgi import application

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def token(alice) -> str:
    _, token = get_token_model().objects.create(user=alice)
    return token


@pytest.fixture(autouse=True)
def _little_to_simulate(monkeypatch):
    """What-if is about its shape here, not about good answers."""
    monkeypatch.setattr("apps.benchmarks.services.whatif.SEEDS", 1)
    monkeypatch.setattr("apps.benchmarks.services.whatif._around", lambda enough: [1])


def _from_this_machine(environ, start_response):
    """The test client names no address, and log-ins are limited by address."""
    return application({"REMOTE_ADDR": "127.0.0.1", **environ}, start_response)


schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
schema.app = _from_this_machine
schema = schema.exclude(path_regex=r"/events$")  # a stream that stays open; tested by itself


# The test client leaves its own temporary file of a large multipart body to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)
def test_api_keeps_its_description(case, token, kept_connection):
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

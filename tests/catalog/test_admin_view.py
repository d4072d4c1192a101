"""The administration shows staff what the converter said, and changes nothing."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.catalog.models import Version
from tests.payments.conftest import make_listing


@pytest.fixture
def crashed(bob) -> Version:
    version = make_listing(bob).current_version
    Version.objects.filter(pk=version.pk).update(log="Segmentation fault in <onnx>")
    return version


def test_staff_read_the_log_of_a_crash_and_change_nothing(staff, client, crashed):
    staff.is_superuser = True
    staff.save()
    client.force_login(staff, backend="allauth.account.auth_backends.AuthenticationBackend")
    listed = client.get(reverse("admin:catalog_version_changelist"), {"q": "Boats"})
    assert "boats.onnx" in listed.content.decode()
    page = reverse("admin:catalog_version_change", args=[crashed.pk])
    assert "Segmentation fault in &lt;onnx&gt;" in client.get(page).content.decode()
    assert client.post(page, {"status": "ready", "log": ""}).status_code == 403
    crashed.refresh_from_db()
    assert crashed.log.startswith("Segmentation")


def test_sellers_do_not_see_it(bob_web, crashed):
    answer = bob_web.get(reverse("admin:catalog_version_change", args=[crashed.pk]))
    assert answer.status_code == 302

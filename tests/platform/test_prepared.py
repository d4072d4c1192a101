"""Queries that are written once: the same answers as Django's own, for every argument."""

from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.drive.models import Folder
from marketplace.prepared import Prepared

pytestmark = pytest.mark.django_db


def test_rows_and_models_follow_the_arguments(alice, bob):
    for owner, name in ((alice, "Sea"), (alice, "Hills"), (bob, "Sea")):
        Folder.objects.create(owner=owner, name=name)
    of = Prepared(lambda owner, name: Folder.objects.filter(owner_id=owner, name=name))
    names = Prepared(lambda owner: Folder.objects.filter(owner_id=owner).order_by("name").values_list("name"))

    [mine] = of.models(alice.pk, "Sea")

    assert (mine.owner_id, mine.name) == (alice.pk, "Sea")
    assert mine.created == Folder.objects.get(pk=mine.pk).created  # a time, not the database's text
    assert of.models(bob.pk, "Hills") == []
    assert [name for (name,) in names.rows(alice.pk)] == ["Hills", "Sea"]
    assert [name for (name,) in names.rows(bob.pk)] == ["Sea"]


def test_what_is_asked_is_never_part_of_the_sql(alice):
    by_name = Prepared(lambda name: User.objects.filter(name=name))
    assert by_name.models("' OR 1=1 --") == []
    assert by_name.models("100% <argument 0>") == []


def test_a_missing_argument_is_an_error(alice):
    by_name = Prepared(lambda name: User.objects.filter(name=name))
    with pytest.raises(TypeError):
        by_name.models()
    by_name.models("x")
    with pytest.raises(TypeError, match="1 arguments are needed"):
        by_name.models()

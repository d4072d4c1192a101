"""Folders: names, tree, trash."""

from __future__ import annotations

import pytest

from apps.drive import queries, tree
from apps.drive.models import Folder, Image
from apps.drive.services import folders, images, selection
from marketplace.api import ApiError
from tests.drive import photos


def code_of(work, *args, **kwargs) -> str:
    with pytest.raises(ApiError) as caught:
        work(*args, **kwargs)
    return caught.value.code


def test_names_are_unique_among_living_siblings(alice, bob, holiday):
    assert code_of(folders.create, alice, "Holiday") == "name_taken"
    folders.create(bob, "Holiday")
    folders.create(alice, "Holiday", parent=holiday)
    folders.trash(holiday)
    folders.create(alice, "Holiday")


def test_unique_picks_a_number(alice, holiday):
    assert folders.create(alice, "Holiday", unique=True).name == "Holiday (2)"
    assert folders.create(alice, "Holiday", unique=True).name == "Holiday (3)"


def test_origin_makes_it_once(alice, holiday):
    first = folders.create(alice, "Out", origin="job:1", unique=True)
    again = folders.create(alice, "Out", parent=holiday, origin="job:1", unique=True)

    assert again == first
    assert again.parent is None
    assert Folder.objects.count() == 2


def test_depth_is_limited(alice, monkeypatch):
    monkeypatch.setattr("apps.drive.names.MAX_DEPTH", 3)
    a = folders.create(alice, "a")
    b = folders.create(alice, "b", a)
    c = folders.create(alice, "c", b)

    assert code_of(folders.create, alice, "d", c) == "too_deep"
    other = folders.create(alice, "other")
    folders.create(alice, "inner", other)
    assert code_of(folders.move, other, b) == "too_deep"
    assert folders.move(other, a).parent == a


def test_number_is_limited(alice, holiday, monkeypatch):
    monkeypatch.setattr(folders, "MAX_FOLDERS", 1)

    assert code_of(folders.create, alice, "more") == "too_many_folders"


def test_no_loops(alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    innermost = folders.create(alice, "innermost", inner)

    assert code_of(folders.move, holiday, holiday) == "moved_into_itself"
    assert code_of(folders.move, holiday, innermost) == "moved_into_itself"
    assert [step.pk for step in tree.path_to(innermost.pk)] == [holiday.pk, inner.pk, innermost.pk]


def test_a_loop_in_the_data_ends(alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    Folder.objects.filter(pk=holiday.pk).update(parent=inner)

    assert tree.path_to(inner.pk)
    assert set(tree.below(inner.pk)) == {inner.pk, holiday.pk}
    Folder.objects.filter(pk=holiday.pk).update(parent=None)


def test_nothing_goes_into_a_trashed_folder(alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    other = folders.create(alice, "other")
    image = photos.add(alice, other)
    folders.trash(holiday)

    assert code_of(folders.create, alice, "new", inner) == "folder_gone"
    assert code_of(folders.move, other, inner) == "folder_gone"
    assert code_of(images.change, image, folder=inner) == "folder_gone"
    assert code_of(photos.add, alice, inner) == "folder_gone"


def test_restore_to_the_old_place(alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    image = photos.add(alice, inner)
    folders.trash(inner)

    folders.restore(inner)

    assert (inner.parent, inner.name, inner.trashed_at) == (holiday, "inner", None)
    assert list(queries.live_images(inner)) == [image]


def test_restore_to_the_nearest_living_ancestor_under_a_free_name(alice, holiday):
    middle = folders.create(alice, "middle", holiday)
    inner = folders.create(alice, "inner", middle)
    folders.create(alice, "inner", holiday)
    folders.trash(inner)
    folders.trash(middle)

    folders.restore(inner)

    assert (inner.parent, inner.name) == (holiday, "inner (2)")


def test_restore_of_a_photo_whose_folders_are_all_gone(alice, holiday):
    image = photos.add(alice, holiday)
    selection.trash(alice, selection.Selection([holiday.pk], [image.pk]))

    selection.restore(alice, selection.Selection(image_ids=[image.pk]))

    image.refresh_from_db()
    assert (image.folder.name, image.folder.parent, image.trashed_at) == ("Restored", None, None)


def test_restore_of_a_photo_whose_name_is_taken(alice, holiday):
    old = photos.add(alice, holiday, "cat.jpg", seed=1)
    images.trash(old)
    photos.add(alice, holiday, "cat.jpg", seed=2)

    selection.restore(alice, selection.Selection(image_ids=[old.pk]))

    old.refresh_from_db()
    assert (old.name, old.trashed_at) == ("cat (2).jpg", None)


def test_restoring_everything_at_once_puts_things_where_they_were(alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    image = photos.add(alice, inner)
    chosen = selection.Selection([inner.pk, holiday.pk], [image.pk])
    for part in (image.pk,):
        selection.trash(alice, selection.Selection(image_ids=[part]))
    folders.trash(inner)
    folders.trash(holiday)

    back = selection.restore(alice, chosen)

    assert back.folders == [holiday.pk, inner.pk]
    image.refresh_from_db()
    assert image.folder == inner
    inner.refresh_from_db()
    assert inner.parent == holiday


def test_delete_for_good_takes_all_in_it(alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    photos.add(alice, inner)
    chosen = selection.Selection(folder_ids=[holiday.pk])
    assert selection.delete(alice, chosen) == 0  # only what is in the trash
    assert Image.objects.count() == 1

    folders.trash(holiday)
    selection.delete(alice, chosen)

    assert Folder.objects.count() == Image.objects.count() == 0


def test_moving_a_selection_is_all_or_nothing(alice, holiday):
    inner = folders.create(alice, "inner", holiday)
    other = folders.create(alice, "other")
    image = photos.add(alice, other)
    chosen = selection.Selection([other.pk, holiday.pk], [image.pk])

    assert code_of(selection.move, alice, chosen, inner) == "moved_into_itself"

    other.refresh_from_db()
    image.refresh_from_db()
    assert other.parent is None
    assert image.folder == other


def test_moving_many_photos_takes_few_queries(alice, holiday, django_assert_max_num_queries):
    other = folders.create(alice, "other")
    photos.rows(alice, holiday, 300)
    photos.rows(alice, other, 2)

    with django_assert_max_num_queries(15):
        moved = selection.move(alice, selection.Selection(images_in=holiday), other)

    assert moved == 300
    names = set(other.images.values_list("name", flat=True))
    assert len(names) == 302
    assert "photo-00001 (2).jpg" in names

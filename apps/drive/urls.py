from __future__ import annotations

from django.urls import URLPattern, path

from apps.drive import views

urlpatterns: list[URLPattern] = [
    path("", views.top, name="drive"),
    path("trash/", views.trash, name="drive-trash"),
    path("tree/", views.tree, name="drive-tree"),
    path("download/", views.download, name="drive-download"),
    path("photo/<str:image_id>/", views.photo, name="drive-photo"),
    path("photo/<str:image_id>/thumb", views.thumb, name="drive-thumb"),
    path("photo/<str:image_id>/view", views.view, name="drive-view"),
    path("shares/<str:share_id>/revoke/", views.share_revoke, name="drive-share-revoke"),
    path("<str:folder_id>/", views.folder_page, name="drive-folder"),
    path("<str:folder_id>/more/", views.more, name="drive-more"),
    path("<str:folder_id>/shares/", views.share_list, name="drive-shares"),
    path("<str:folder_id>/shares/create/", views.share_create, name="drive-share-create"),
]

from __future__ import annotations

from django.urls import URLPattern, path

from apps.drive import views_public

urlpatterns: list[URLPattern] = [
    path("<str:token>/", views_public.folder, name="share"),
    path("<str:token>/folder/<str:folder_id>/", views_public.folder, name="share-folder"),
    path("<str:token>/folder/<str:folder_id>/more/", views_public.more, name="share-more"),
    path("<str:token>/folder/<str:folder_id>/zip", views_public.archive_of, name="share-zip"),
    path("<str:token>/photo/<str:image_id>/", views_public.photo, name="share-photo"),
    path("<str:token>/photo/<str:image_id>/thumb", views_public.thumb, name="share-thumb"),
    path("<str:token>/photo/<str:image_id>/view", views_public.view, name="share-view"),
    path("<str:token>/photo/<str:image_id>/content", views_public.content, name="share-content"),
]

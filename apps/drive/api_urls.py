from __future__ import annotations

from django.urls import URLPattern, path

from apps.drive.api import folders, images, shares, trash

urlpatterns: list[URLPattern] = [
    path("folders", folders.FolderList.as_view(), name="api-folders"),
    path("folders/<str:folder_id>", folders.FolderDetail.as_view(), name="api-folder"),
    path("folders/<str:folder_id>/archive", folders.FolderArchive.as_view(), name="api-folder-archive"),
    path("folders/<str:folder_id>/images", folders.FolderImages.as_view(), name="api-folder-images"),
    path("folders/<str:folder_id>/share", shares.FolderShare.as_view(), name="api-folder-share"),
    path("images", images.ImageList.as_view(), name="api-images"),
    path("images/<str:image_id>", images.ImageDetail.as_view(), name="api-image"),
    path("images/<str:image_id>/content", images.ImageContent.as_view(), name="api-image-content"),
    path("images/<str:image_id>/thumbnail", images.ImageThumbnail.as_view(), name="api-image-thumbnail"),
    path(
        "images/<str:image_id>/attachments/<int:attachment_id>",
        images.AttachmentContent.as_view(),
        name="api-attachment",
    ),
    path("shares", shares.ShareList.as_view(), name="api-shares"),
    path("shares/<str:share_id>", shares.ShareDetail.as_view(), name="api-share"),
    path("trash", trash.Trash.as_view(), name="api-trash"),
    path("move", trash.Move.as_view(), name="api-move"),
    path("trash/restore", trash.TrashRestore.as_view(), name="api-trash-restore"),
    path("trash/delete", trash.TrashDelete.as_view(), name="api-trash-delete"),
]

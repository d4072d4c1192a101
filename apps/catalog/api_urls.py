from __future__ import annotations

from django.urls import path

from apps.catalog.api import listings, versions

urlpatterns = [
    path("listings", listings.ListingsView.as_view(), name="api-listings"),
    path("listings/<str:listing_id>", listings.ListingView.as_view(), name="api-listing"),
    path("listings/<str:listing_id>/publish", listings.PublishView.as_view(), name="api-listing-publish"),
    path("listings/<str:listing_id>/withdraw", listings.WithdrawView.as_view(), name="api-listing-withdraw"),
    path("listings/<str:listing_id>/pictures", listings.PicturesView.as_view(), name="api-listing-pictures"),
    path("pictures/<str:picture_id>", listings.PictureView.as_view(), name="api-picture"),
    path("listings/<str:listing_id>/uploads", versions.UploadsView.as_view(), name="api-uploads"),
    path("uploads/<str:upload_id>", versions.UploadView.as_view(), name="api-upload"),
    path("listings/<str:listing_id>/versions", versions.VersionsView.as_view(), name="api-versions"),
    path("versions/<str:version_id>", versions.VersionView.as_view(), name="api-version"),
    path(
        "versions/<str:version_id>/samples/<int:number>",
        versions.SampleView.as_view(),
        name="api-version-sample",
    ),
]

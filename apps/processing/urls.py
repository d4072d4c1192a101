from __future__ import annotations

from django.urls import URLPattern, path

from apps.processing import views_jobs, views_results, views_studio

urlpatterns: list[URLPattern] = [
    path("studio/", views_studio.studio, name="studio"),
    path("studio/photos/<str:folder_id>/", views_studio.photos, name="studio-photos"),
    path("studio/<str:app_id>/", views_studio.studio_app, name="studio-app"),
    path("jobs/", views_jobs.job_list, name="jobs"),
    path("jobs/<str:job_id>/", views_jobs.job_page, name="job"),
    path("jobs/<str:job_id>/live/", views_jobs.job_live, name="job-live"),
    path("jobs/<str:job_id>/cancel/", views_jobs.job_cancel, name="job-cancel"),
    path("jobs/<str:job_id>/retry/", views_jobs.job_retry, name="job-retry"),
    path("jobs/<str:job_id>/remove/", views_jobs.job_remove, name="job-remove"),
    path("jobs/<str:job_id>/results/", views_results.results, name="job-results"),
    path("jobs/<str:job_id>/results/<str:image_id>/", views_results.result, name="job-result"),
]

from __future__ import annotations

from django.urls import path

from apps.processing import api, api_events, api_results

urlpatterns = [
    path("apps", api.AppsView.as_view(), name="api-apps"),
    path("apps/<str:app_id>", api.AppView.as_view(), name="api-app"),
    path("apps/<str:app_id>/preview", api.PreviewView.as_view(), name="api-preview"),
    path("quotes", api.QuotesView.as_view(), name="api-quotes"),
    path("jobs", api.JobsView.as_view(), name="api-jobs"),
    path("jobs/<str:job_id>", api.JobView.as_view(), name="api-job"),
    path("jobs/<str:job_id>/cancel", api.CancelView.as_view(), name="api-job-cancel"),
    path("jobs/<str:job_id>/retry", api.RetryView.as_view(), name="api-job-retry"),
    path("jobs/<str:job_id>/events", api_events.EventsView.as_view(), name="api-job-events"),
    path("jobs/<str:job_id>/log", api_results.LogView.as_view(), name="api-job-log"),
    path("jobs/<str:job_id>/results", api_results.ResultsView.as_view(), name="api-job-results"),
    path("jobs/<str:job_id>/results.csv", api_results.CsvView.as_view(), name="api-job-csv"),
    path("jobs/<str:job_id>/results.jsonl", api_results.JsonLinesView.as_view(), name="api-job-jsonl"),
    path("jobs/<str:job_id>/results/coco.json", api_results.CocoView.as_view(), name="api-job-coco"),
    path("jobs/<str:job_id>/coco.json", api_results.CocoView.as_view()),
    path("jobs/<str:job_id>/yolo.zip", api_results.YoloView.as_view(), name="api-job-yolo"),
]

"""Versions of weights, for staff to read: above all what the converter said when it crashed. Listings are
taken down on their own page; nothing is changed here."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from apps.catalog.models import Version


@admin.register(Version)
class VersionAdmin(admin.ModelAdmin):
    list_display = ["listing", "number", "status", "code", "file_name", "attempts", "created"]
    list_filter = ["status", "code"]
    list_select_related = ["listing"]
    search_fields = ["id", "listing__id", "listing__title", "file_name"]
    ordering = ["-created"]
    fields = ["listing", "number", "status", "code", "reason", "file_name", "bytes", "attempts", "log"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Version | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Version | None = None) -> bool:
        return False

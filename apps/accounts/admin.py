"""People, for staff. Deleting one takes the same way as deleting one's own account."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts.models import ApiToken, User
from apps.accounts.services import accounts


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["email", "name", "is_active", "is_staff", "date_joined", "last_login"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["email", "name"]
    ordering = ["-date_joined"]
    fields = [
        "email",
        "name",
        "is_active",
        "is_staff",
        "is_superuser",
        "groups",
        "quota_bytes",
        "date_joined",
    ]
    readonly_fields = ["email", "date_joined"]  # an address is changed by who owns it

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # people sign up; manage.py createsuperuser makes the first staff

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        accounts.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            accounts.delete(user)


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):
    list_display = ["hint", "user", "name", "created", "expiry", "last_used"]
    search_fields = ["user__email", "name"]
    fields = ["hint", "user", "name", "created", "expiry", "last_used"]
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # it could not be shown to its user

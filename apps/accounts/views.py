"""A person's own account. Log-in, sign-up, e-mail and passwords are allauth's views, with our templates."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import access, queries
from apps.accounts.forms import DeleteForm, NameForm, TokenForm
from apps.accounts.services import accounts, tokens
from apps.drive.services import quota
from apps.payments.services import closing
from marketplace.api import ApiError


@login_required
@require_http_methods(["GET", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    form = NameForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Name saved.")
        return redirect("account_settings")
    return render(request, "accounts/settings.html", {"form": form, "storage": quota.usage(request.user)})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def tokens_page(request: HttpRequest) -> HttpResponse:
    """A new token is in the answer to the form itself: it is shown once and kept nowhere, not even in the
    session."""
    form = TokenForm(request.POST or None)
    context = {"form": form, "made": None}
    if request.method == "POST" and form.is_valid():
        try:
            token, text = tokens.create(
                request.user, form.cleaned_data["name"], form.cleaned_data["days"] or None
            )
        except ApiError as error:
            form.add_error(None, error.message)
        else:
            context |= {"form": TokenForm(), "made": token, "text": text}
    context["tokens"] = queries.tokens_of(request.user)
    return render(request, "accounts/tokens.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def token_revoke(request: HttpRequest, public_id: str) -> HttpResponse:
    token = access.token_for(request.user, public_id)
    tokens.revoke(token)
    messages.success(request, f'Token "{token.name}" is revoked: it opens nothing any more.')
    return redirect("account_tokens")


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def delete_page(request: HttpRequest) -> HttpResponse:
    form = DeleteForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = request.user
        logout(request)
        accounts.delete(user)
        messages.success(request, "Your account and everything in it is deleted.")
        return redirect("landing")
    context = {"form": form, "forfeited": closing.forfeited(request.user)}
    return render(request, "accounts/delete.html", context, status=422 if form.errors else 200)

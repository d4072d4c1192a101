"""What people fill in on their account's pages. Log-in, sign-up and passwords have allauth's forms."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from django import forms

from apps.accounts.models import User


class NameForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name"]
        labels = {"name": "Name"}
        help_texts = {"name": "Shown to you, and to people you share folders with."}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}


class TokenForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=80,
        help_text="What it is for, for example the script or the machine that uses it.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    days = forms.TypedChoiceField(
        label="Expires",
        coerce=int,
        choices=[(30, "after 30 days"), (90, "after 90 days"), (365, "after a year"), (0, "never")],
        initial=90,
    )


class DeleteForm(forms.Form):
    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_password(self) -> str:
        """Counts against the limit on wrong passwords, as a log-in does."""
        password: str = self.cleaned_data["password"]
        if not get_adapter().reauthenticate(self._user, password):
            raise forms.ValidationError("The password is wrong. Nothing was deleted.")
        return password


class Plain:
    """For allauth's forms: no placeholders that say the label again, and help in one short line."""

    HELP = {"password1": "At least 8 characters, and not one that many people use."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():  # type: ignore[attr-defined]
            field.widget.attrs.pop("placeholder", None)
            field.help_text = self.HELP.get(name, "")
            field.label = str(field.label).replace("Email", "E-mail")


class SignUp(Plain, allauth_forms.SignupForm):
    pass


class LogIn(Plain, allauth_forms.LoginForm):
    pass


class ForgotPassword(Plain, allauth_forms.ResetPasswordForm):
    pass


class NewPassword(Plain, allauth_forms.ResetPasswordKeyForm):
    pass


class ChangePassword(Plain, allauth_forms.ChangePasswordForm):
    pass


class NewAddress(Plain, allauth_forms.AddEmailForm):
    pass


class Confirm(Plain, allauth_forms.ReauthenticateForm):
    pass

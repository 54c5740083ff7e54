"""Addresses of everything."""

from allauth.account import views as account
from allauth.mfa.base import views as factor
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.contrib import admin
from django.urls import include, path, re_path

from hospital import pages
from ops import views as ops

second_factor = [
    path("", factor.index, name="mfa_index"),
    path("code/", factor.authenticate, name="mfa_authenticate"),
    path("again/", factor.reauthenticate, name="mfa_reauthenticate"),
    path("app/", totp.activate_totp, name="mfa_activate_totp"),
    path("app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("recovery/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "recovery/new/", recovery_codes.generate_recovery_codes, name="mfa_generate_recovery_codes"
    ),
    path("passkeys/", webauthn.list_webauthn, name="mfa_list_webauthn"),
    path("passkeys/add/", webauthn.add_webauthn, name="mfa_add_webauthn"),
    path("passkeys/again/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("passkeys/<int:pk>/remove/", webauthn.remove_webauthn, name="mfa_remove_webauthn"),
]

urlpatterns = [
    path("api/v1/", include("api.urls")),
    path("admin/", admin.site.urls),
    # Of allauth's many pages those that are needed, and no other: nobody signs up by himself.
    path("accounts/login/", account.login, name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/password/", account.password_change, name="account_change_password"),
    path("accounts/again/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/2fa/", include(second_factor)),
    path("livez", pages.livez, name="livez"),
    path("readyz", pages.readyz, name="readyz"),
    path("status", ops.status, name="status"),
    path("metrics", ops.metrics, name="metrics"),
    path("favicon.ico", pages.icon, name="icon"),
    # Whatever else it is, it is an address inside the app, which knows its own.
    re_path(r"^(?!(?:api|admin|accounts|static)(?:/|$)).*$", pages.board, name="board"),
]

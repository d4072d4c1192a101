from __future__ import annotations

from django.urls import path

from apps.payments import views, views_earnings, views_sandbox, views_staff

urlpatterns = [
    path("wallet/", views.wallet, name="wallet"),
    path("wallet/entries.csv", views.wallet_csv, name="wallet-csv"),
    path("wallet/top-up/", views.topup_new, name="topup-new"),
    path("wallet/top-ups/<str:topup_id>/", views.topup_page, name="topup"),
    path("wallet/top-ups/<str:topup_id>/receipt/", views.receipt, name="receipt"),
    path("wallet/sandbox/<str:topup_id>/", views_sandbox.checkout, name="sandbox-checkout"),
    path("wallet/sandbox/<str:topup_id>/event/", views_sandbox.event, name="sandbox-event"),
    path("wallet/prices/", views.prices, name="prices"),
    path("wallet/earnings/", views_earnings.earnings, name="earnings"),
    path("wallet/earnings/connect/", views_earnings.connect, name="payout-connect"),
    path("wallet/earnings/payout/", views_earnings.payout, name="payout"),
    path("wallet/ledger/", views_staff.ledger, name="ledger"),
    path("wallet/ledger/adjust/", views_staff.adjust, name="ledger-adjust"),
]

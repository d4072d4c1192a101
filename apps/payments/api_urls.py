from __future__ import annotations

from django.urls import path

from apps.payments import api

urlpatterns = [
    path("wallet", api.WalletView.as_view(), name="api-wallet"),
    path("wallet/entries", api.EntriesView.as_view(), name="api-wallet-entries"),
    path("topups", api.TopUpsView.as_view(), name="api-topups"),
    path("topups/<str:topup_id>", api.TopUpView.as_view(), name="api-topup"),
    path("listings/<str:listing_id>/purchase", api.PurchaseView.as_view(), name="api-purchase"),
    path("purchases", api.PurchasesView.as_view(), name="api-purchases"),
    path("earnings", api.EarningsView.as_view(), name="api-earnings"),
    path("payouts", api.PayoutsView.as_view(), name="api-payouts"),
    path("stripe/webhook", api.WebhookView.as_view(), name="api-stripe-webhook"),
]

"""Stripe and the tables; foreign exceptions die here."""

"""Stripe's API, as far as a shop that takes cards uses it."""

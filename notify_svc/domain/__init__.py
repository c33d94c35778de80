"""Notifications and the rules of sending them. Pure."""

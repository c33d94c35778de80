"""Alembic's environment, one for all services; chassis.storage.migrations gives it its connection."""

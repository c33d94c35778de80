"""Durable storage: group commit over SQLite and PostgreSQL behind one port. Knows tables, not what they mean."""

"""The order service's ports on real things: tables, the other services, telemetry. Foreign exceptions die here."""

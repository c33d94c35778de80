"""Where the notify service meets SendGrid, its templates, its database and its telemetry."""

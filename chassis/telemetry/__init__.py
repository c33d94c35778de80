"""Spans, metrics and where they go: a local span store always, an OTLP collector when one is configured."""

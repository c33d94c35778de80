"""Outbound HTTP: one origin per client, and errors that say whether a request was sent."""

from chassis.http.client import HttpClient, HttpTransport, create_client
from chassis.http.connection import Answer
from chassis.http.errors import HttpError, Lost, NotSent, TooLarge

__all__ = ["Answer", "HttpClient", "HttpError", "HttpTransport", "Lost", "NotSent", "TooLarge", "create_client"]

"""The demo shop: a web shop that knows nothing but the REST API, where the sandbox plays the providers."""

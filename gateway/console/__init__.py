"""The console: pages for whoever looks after orders, made from what the REST API says to the same person."""

"""What the service does, one use case a file, and the ports through which it does it."""

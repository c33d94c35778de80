"""The use cases of the notify service, and the ports through which they meet the outside world."""

"""The service that takes orders and sees them through: tax, charge, confirmation."""

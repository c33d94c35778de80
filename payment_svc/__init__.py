"""The money of an order: one PaymentIntent at Stripe per order, charged once and given back at most once."""

"""A stand-in for the outside world: Stripe, AvaTax and SendGrid as local HTTP servers, with faults on demand."""

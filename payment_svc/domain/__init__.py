"""What a payment is, which moves it may make, and what an answer of the provider means for it. Pure."""

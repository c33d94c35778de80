"""What an order costs: the product with and without its provider calls, its floor, and four empty stock hops."""

"""What an order costs: the product, its floor, and four empty stock hops, measured side by side in one run."""

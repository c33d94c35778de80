"""What the documentation is made of: schemas, operations, problems, and the page that shows them."""

"""The pages of docs/ that are made from the code: references, and the drawings in pages written by hand."""

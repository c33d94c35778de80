"""The layers of our servers, one module each; chassis/layers.py says in which order they stand."""

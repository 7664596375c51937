"""One debugging session over a real or a predicted execution."""

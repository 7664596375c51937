"""Times of day, intervals, and the order of things."""

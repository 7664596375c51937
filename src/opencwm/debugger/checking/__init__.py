"""What could go wrong in a function: inputs are proposed, runs predicted, and what they come to reported."""

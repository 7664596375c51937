"""What could go wrong in a function: inputs are proposed, runs are predicted, and what they come to is reported."""

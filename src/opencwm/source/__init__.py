"""What can be known of a program from its text alone: what is reachable, and which line may follow which."""

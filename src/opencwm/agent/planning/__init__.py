"""The world model as planner: what a test comes to is predicted before it is run."""

"""The command line: one module per command. The only place that prints, and the only one that knows there is a user."""

"""The experiment: its configuration, the sweep that it spans, and the code that runs it."""

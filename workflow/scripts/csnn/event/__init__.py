"""The event-driven engine: networks compiled from Nengo's, and their exact simulation."""

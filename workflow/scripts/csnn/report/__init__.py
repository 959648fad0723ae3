"""The report: its pages, its opening and the provenance of its numbers."""

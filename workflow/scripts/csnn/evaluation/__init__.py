"""From logits to decisions, scores, statistics and tables."""

"""Runs kept, and what changed between them. It reads results and never runs anything."""

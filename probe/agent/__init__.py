"""Carries out orders on a host."""

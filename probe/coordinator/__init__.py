"""Channels to agents, walking the plan, collecting evidence."""

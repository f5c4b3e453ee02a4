"""Matrix and inventory to checks, per source."""

from probe.plan.plan import Plan, Wishes

__all__ = ["Plan", "Wishes"]

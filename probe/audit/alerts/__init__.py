"""Who is told what a run of an audit has changed: webhooks, Slack, Alertmanager.

An Ended becomes news (what is new in it, given what was told before), news becomes a message, grouped by cause, and the
message a request, which is tried until it is delivered or given up. Nothing of it delays or fails a run.
"""

from probe.audit.alerts.config import Alert, read, read_all
from probe.audit.alerts.service import Alerts

__all__ = ["Alert", "Alerts", "read", "read_all"]

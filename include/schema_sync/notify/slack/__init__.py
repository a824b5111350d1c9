"""Slack's Web API and webhooks."""

"""Prefect itself: its servers, deployments, automations and limits, and running a flow."""

"""Alerts about failed runs and checks: one alert for one incident, sent by webhook or mail."""

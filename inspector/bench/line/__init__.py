"""Stations and what people see of them: fed, killed, cut off, followed."""

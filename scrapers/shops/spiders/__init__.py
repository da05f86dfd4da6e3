"""Spiders: they walk from page to page, and read nothing themselves."""

"""The search box: an API and a page over a release."""

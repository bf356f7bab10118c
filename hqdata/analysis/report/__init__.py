"""The report of an audit: one HTML page that needs nothing but a browser."""

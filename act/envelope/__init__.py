"""Claims to signed objects and back. COSE is the default envelope; the JOSE form maps the same claims."""

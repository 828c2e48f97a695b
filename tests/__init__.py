"""netlab's own tests."""

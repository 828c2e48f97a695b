"""A shared HTTP cache (RFC 9111): ``netlab.cache.policy`` decides, without any I/O."""

"""XML, cleaned, bounded and parsed strictly: the only place that meets hostile XML."""

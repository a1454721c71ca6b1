"""PostgreSQL: the engine, the models, and what writes an import's rows."""

"""The JSON:API of events without its routes: schema, queries, documents, changes."""

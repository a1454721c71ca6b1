"""HTTP machinery without routes: forms, middleware, problems, OpenAPI, JSON:API, the server."""

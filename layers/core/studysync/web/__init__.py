"""HTTP: the app, its middleware, and what routes share."""

"""A question about serving: a model on a platform at a service level, a trace of requests, a deployment's own measurements."""

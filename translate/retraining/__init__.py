"""From a model that serves to a better one: when it is due, on what, whether it may serve, step by step."""

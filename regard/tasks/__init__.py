"""Tasks: data, model, loss, metric and what to show, put together."""

"""The durable engine on SQLite; `engine` puts its parts together."""

"""Who may come in and what they may do: sessions, roles, request checks and response headers."""

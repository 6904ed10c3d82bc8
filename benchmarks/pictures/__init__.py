"""Pictures for the documentation: web pages, servers, a terminal."""

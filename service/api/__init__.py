"""The ASGI application: routes, checks of what comes in, answers and problems."""

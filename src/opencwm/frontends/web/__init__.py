"""A session in the browser: one page over :class:`opencwm.debugger.session.Session`, on loopback.

Importing this loads no server; starlette and uvicorn come with the extra ``web`` and are imported when a page
is served. Saving a session as one HTML file needs neither.
"""

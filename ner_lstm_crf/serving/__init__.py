"""A service: texts over HTTP, entities back; and a page to try it with.

    batching.py   requests that wait together are tagged in one batch; a queue that refuses more than it can hold
    messages.py   the JSON of requests and answers
    app.py        the application: what each address does, limits, metrics
    server.py     sockets, workers, and a stop that loses no request
    page/         the page at `/`: HTML, CSS and JavaScript as they are, without a build

Start with `app.service`. It needs the extra `serve` (FastAPI, uvicorn, prometheus-client).
"""

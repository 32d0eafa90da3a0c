# Taggers over HTTP, without PyTorch:    docker build -t ner-lstm-crf . && docker run -p 8000:8000 ner-lstm-crf
# Or any other command:                  echo "Angela Merkel visited Rome." | docker run -i ner-lstm-crf tag --input -
FROM python:3.11-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
RUN --mount=type=bind,source=.,target=/source --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /source/constraints.txt --requirement /source/requirements-tagging.txt \
      fastapi prometheus-client uvicorn uvloop \
    && pip install --no-cache-dir --no-deps /wheels/*.whl
USER nobody
EXPOSE 8000
ENTRYPOINT ["ner-lstm-crf"]
CMD ["serve", "--host", "0.0.0.0"]

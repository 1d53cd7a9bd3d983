# One image for the server, the worker and the sandbox, so that all run the versions that were locked together.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 MPLBACKEND=Agg \
    DO_NOT_TRACK=1 NAFLORA_HOME=/app PREFECT_HOME=/home/naflora/.prefect

RUN useradd --create-home naflora && install -d -o naflora /app /app/work /app/dist
WORKDIR /app

COPY requirements.lock .
RUN pip install -r requirements.lock

COPY --chown=naflora . .
RUN pip install --no-deps --editable .

USER naflora
# the weights of the text detector, pinned by hash; a build never downloads them
RUN naflora models fetch

CMD ["naflora", "--help"]

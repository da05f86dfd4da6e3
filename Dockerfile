# A server of releases: without torch, as nobody in particular, with nothing that it must write.
#
#   docker build --tag lookalike .
#   docker run --init --publish 8080:8080 --volume "$PWD/releases:/releases:ro" --read-only --tmpfs /tmp lookalike
#   docker run ... lookalike boots workers=4       # words of `lookalike serve`; port= would blind the health check
#   docker run --env LOOKALIKE_KEY ...             # keys come from the environment
#
# /releases may be read-only: only /v1/admin/rollback writes there, as user 10001.

FROM python:3.11-slim-bookworm AS made
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.8
WORKDIR /house
ENV UV_BUILD_CONSTRAINT=requirements.lock
COPY pyproject.toml requirements.lock ./
# The lock as a constraint: its versions, its hashes (uv checks them there too), and of its packages only those that serve.
RUN uv venv /opt/lookalike \
    && uv pip install --python /opt/lookalike --no-cache --compile-bytecode --group serve --constraint requirements.lock \
    && cut --delimiter=' ' --fields=1 requirements.lock > /locked \
    && ! uv pip freeze --python /opt/lookalike | grep --invert-match --line-regexp --fixed-strings --file /locked
COPY . .
RUN uv pip install --python /opt/lookalike --no-cache --compile-bytecode --no-deps .

FROM python:3.11-slim-bookworm
COPY --from=made /opt/lookalike /opt/lookalike
# ONNX Runtime would tell its maker of each process and each model.
ENV ORT_DISABLE_TELEMETRY=1
ENV PATH=/opt/lookalike/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /
VOLUME /releases
EXPOSE 8080
HEALTHCHECK --start-period=60s --interval=10s --timeout=5s CMD ["python", "-Ic", "import http.client, sys; door = http.client.HTTPConnection('127.0.0.1', 8080, timeout=4); door.request('GET', '/healthz'); sys.exit(door.getresponse().status != 200)"]
ENTRYPOINT ["lookalike", "serve", "host=0.0.0.0", "paths.releases=/releases"]

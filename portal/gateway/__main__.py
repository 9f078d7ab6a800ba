"""``python -m portal.gateway``: one gateway process. Run as many as there are cores."""

from __future__ import annotations

import gc
import logging
import sys

import msgspec
import structlog
import uvicorn

from portal.gateway.app import App
from portal.gateway.config import Config, ConfigMissing, from_environment
from portal.gateway.server import StrictProtocol

KEEP_ALIVE_SECONDS = 75


def _dumps(line: object, **_: object) -> bytes:
    return msgspec.json.encode(line, enc_hook=repr)


def configure_logs() -> None:
    """JSON lines on standard output. Libraries are heard from warnings on, in the same form."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(),  # seconds since 1970: a date costs ten times as much
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(),
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def serve(config: Config) -> None:
    """Until SIGTERM; then what is open has ``drain_seconds`` to end."""
    gc.freeze()  # modules live as long as the process: the collector need not look at them
    gc.set_threshold(20_000, 50, 50)
    uvicorn.run(
        App(config),
        host=config.host,
        port=config.port,
        http=StrictProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=config.drain_seconds,
        backlog=4096,
    )


def main() -> int:
    """Exit code 2 if the environment is incomplete."""
    configure_logs()
    try:
        config = from_environment()
    except ConfigMissing as missing:
        print(missing, file=sys.stderr)  # noqa: T201
        return 2
    serve(config)
    return 0


if __name__ == "__main__":
    sys.exit(main())

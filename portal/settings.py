"""Everything from the environment, in one file. A missing name stops the start, with all of them.

``deploy/local`` writes these names for the embedded stack; ``.env.example`` explains each.
"""

import re
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _
from kombu import Exchange, Queue

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

_REQUIRED = (
    "DATABASE_URL",
    "VALKEY_URL",
    "CELERY_BROKER_URL",
    "SECRET_KEY",
    "DURE_SEAL_KEYS",
    "DURE_AUDIT_KEY",
    "DURE_RECEIPT_KEYS",
)
if missing := [name for name in _REQUIRED if not env.str(name, default="")]:
    raise ImproperlyConfigured(
        f"Missing in the environment: {', '.join(missing)}. `make up` sets them for the embedded "
        "stack; for your own servers see .env.example."
    )

DEBUG = env.bool("DURE_DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
DURE_SEAL_KEYS = env.str("DURE_SEAL_KEYS")

DURE_WEB_ORIGIN = env.str("DURE_WEB_ORIGIN", default="http://127.0.0.1:8000")
DURE_GATEWAY_URL = env.str("DURE_GATEWAY_URL", default="http://127.0.0.1:8080")
DURE_DATA_DIR = Path(env.str("DURE_DATA_DIR", default=str(BASE_DIR / ".dure")))
DURE_AUDIT_KEY = env.str("DURE_AUDIT_KEY")  # a list: the first signs checkpoints, all verify
DURE_RECEIPT_KEYS = env.str("DURE_RECEIPT_KEYS")  # a list: the first signs receipts, all verify
# Where checkpoints of the audit log are kept: not on PostgreSQL's disks, not in its backups.
DURE_CHECKPOINT_DIR = Path(
    env.str("DURE_CHECKPOINT_DIR", default=str(DURE_DATA_DIR / "checkpoints"))
)
DURE_SITES_FILE = env.str("DURE_SITES_FILE", default="")
DURE_EMBEDDED = env.bool("DURE_EMBEDDED", default=False)  # the embedded stack runs us
VALKEY_URL = env.str("VALKEY_URL")
# Jobs (docs/jobs.md): where their files stand, and for how many days.
DURE_JOBS_DIR = Path(env.str("DURE_JOBS_DIR", default=str(DURE_DATA_DIR / "jobs")))
# Another place than that folder: a bucket of an S3-compatible storage (docs/jobs.md).
DURE_JOBS_S3_BUCKET = env.str("DURE_JOBS_S3_BUCKET", default="")
DURE_JOBS_S3_ENDPOINT = env.str("DURE_JOBS_S3_ENDPOINT", default="")
DURE_JOBS_S3_REGION = env.str("DURE_JOBS_S3_REGION", default="us-east-1")
DURE_JOBS_S3_KEY_ID = env.str("DURE_JOBS_S3_KEY_ID", default="")
DURE_JOBS_S3_SECRET = env.str("DURE_JOBS_S3_SECRET", default="")
if DURE_JOBS_S3_BUCKET and not (
    re.match(r"https://|http://(127\.0\.0\.1|localhost)[:/]", DURE_JOBS_S3_ENDPOINT)
    and DURE_JOBS_S3_KEY_ID
    and DURE_JOBS_S3_SECRET
):
    raise ImproperlyConfigured(
        "DURE_JOBS_S3_BUCKET needs DURE_JOBS_S3_ENDPOINT (https://…), DURE_JOBS_S3_KEY_ID and "
        "DURE_JOBS_S3_SECRET."
    )
# The gateway as workers reach it; jobs send their requests there.
DURE_JOBS_GATEWAY_URL = env.str("DURE_JOBS_GATEWAY_URL", default=DURE_GATEWAY_URL)
DURE_JOBS_FILE_DAYS = env.int("DURE_JOBS_FILE_DAYS", default=30)
# Where customers' own models may lie (docs/own-models.md); nowhere unless it is set.
DURE_MODEL_ORIGINS = env.list("DURE_MODEL_ORIGINS", default=[])
_origin_shape = re.compile(
    r"(https://[A-Za-z0-9.:\[\]-]+|http://127\.0\.0\.1:[0-9]+)/?(;private|;mount=(/[A-Za-z0-9._-]+)+)*"
)
if not all(_origin_shape.fullmatch(one) for one in DURE_MODEL_ORIGINS):
    raise ImproperlyConfigured(
        "DURE_MODEL_ORIGINS: https://models.example.kr, or with what is special about it, "
        "https://10.0.0.5:8443;private;mount=/models. Commas between several."
    )
# What fetches them into the pods of Kubernetes sites (deploy/kubernetes/fetcher.Containerfile);
# without it they find no room there.
DURE_FETCHER_IMAGE = env.str("DURE_FETCHER_IMAGE", default="")
if DURE_FETCHER_IMAGE and not re.fullmatch(r"\S{1,228}@sha256:[0-9a-f]{64}", DURE_FETCHER_IMAGE):
    raise ImproperlyConfigured(
        "DURE_FETCHER_IMAGE names an image by its digest: registry.example/fetcher@sha256:…"
    )
# Where superusers read tables (Django's admin); nowhere unless it is set. Nobody should guess it.
DURE_ADMIN_PATH = env.str("DURE_ADMIN_PATH", default="")
if DURE_ADMIN_PATH and not re.fullmatch(r"(?=.*[0-9])[A-Za-z0-9-]{12,64}/", DURE_ADMIN_PATH):
    raise ImproperlyConfigured(
        "DURE_ADMIN_PATH needs 12 to 64 letters, digits and dashes, at least one digit, and a "
        "slash at its end: reading-room-7c31f0/. Leave it empty to have no such pages."
    )

# The registry of businesses (.env.example has the address). Without it, customers wait until the
# operator has read their documents.
DURE_REGISTRY_URL = env.str("DURE_REGISTRY_URL", default="")
DURE_REGISTRY_KEY = env.str("DURE_REGISTRY_KEY", default="")

# The seller on invoices. The defaults are made up, say so, and suit only a demonstration.
DURE_SELLER_NAME = env.str("DURE_SELLER_NAME", default="두레 운영 (예시)")
DURE_SELLER_NUMBER = env.str("DURE_SELLER_NUMBER", default="5048600001")
DURE_SELLER_ADDRESS = env.str("DURE_SELLER_ADDRESS", default="대구광역시 (예시 주소)")
DURE_SELLER_REPRESENTATIVE = env.str("DURE_SELLER_REPRESENTATIVE", default="대표자 (예시)")

# E-tax invoices (docs/etax.md). Without an issuer the operator issues them by hand and enters the
# numbers; without a first day none are made, so that nothing is told to the tax service twice.
DURE_ETAX_URL = env.str("DURE_ETAX_URL", default="")
DURE_ETAX_AUTH_URL = env.str("DURE_ETAX_AUTH_URL", default="")
DURE_ETAX_SERVICE = env.str("DURE_ETAX_SERVICE", default="POPBILL")
DURE_ETAX_LINK_ID = env.str("DURE_ETAX_LINK_ID", default="")
DURE_ETAX_SECRET_KEY = env.str("DURE_ETAX_SECRET_KEY", default="")
DURE_ETAX_FROM = env.str("DURE_ETAX_FROM", default="")
DURE_SELLER_TRADE = env.str("DURE_SELLER_TRADE", default="정보통신업")
DURE_SELLER_ITEM = env.str("DURE_SELLER_ITEM", default="데이터 처리 및 호스팅")
DURE_SELLER_EMAIL = env.str("DURE_SELLER_EMAIL", default="")
# Where customers pay to. The defaults are made up, say so, and suit only a demonstration.
DURE_BANK_NAME = env.str("DURE_BANK_NAME", default="예시은행")
DURE_BANK_ACCOUNT = env.str("DURE_BANK_ACCOUNT", default="000-000000-00-000 (예시)")
DURE_BANK_HOLDER = env.str("DURE_BANK_HOLDER", default=DURE_SELLER_NAME)
# Cards by Stripe; without a key they are not taken. An address of its own is for the fake.
DURE_CARD_PROVIDER = env.str("DURE_CARD_PROVIDER", default="stripe")
DURE_STRIPE_KEY = env.str("DURE_STRIPE_KEY", default="")
DURE_STRIPE_WEBHOOK_SECRETS = env.list("DURE_STRIPE_WEBHOOK_SECRETS", default=[])
DURE_STRIPE_URL = env.str("DURE_STRIPE_URL", default="")
# Sites: asked in vain for so long, a site is lost and its replicas are asked for elsewhere; and so
# long a replica that has been replaced goes on, so that the longest request is answered.
DURE_SITE_LOST_SECONDS = env.int("DURE_SITE_LOST_SECONDS", default=300)
DURE_SITE_LEAVE_SECONDS = env.int("DURE_SITE_LEAVE_SECONDS", default=660)
# Month end: customers look at their drafts until the end of this day of the next month (0: not
# at all). How tax is computed from now on; each document keeps the rule that it was made by.
DURE_REVIEW_UNTIL_DAY = env.int("DURE_REVIEW_UNTIL_DAY", default=3)
DURE_VAT_ROUNDING = env.str("DURE_VAT_ROUNDING", default="truncate")  # or half_up, up
DURE_VAT_BASIS = env.str("DURE_VAT_BASIS", default="document")  # or line
DURE_TEN_WON_CUT = env.bool("DURE_TEN_WON_CUT", default=False)  # public bodies' totals end in 0
# Unpaid invoices: reminders so many days after the due date (negative: before it), the day on
# which new spending stops (empty: never), and simple interest in percent a year (0: none).
DURE_REMINDER_DAYS = [int(day) for day in env.list("DURE_REMINDER_DAYS", default=[-3, 1, 7, 14])]
DURE_RESTRICT_AFTER_DAYS = env.str("DURE_RESTRICT_AFTER_DAYS", default="30")
DURE_LATE_INTEREST_PERCENT = Decimal(env.str("DURE_LATE_INTEREST_PERCENT", default="0"))
# A voucher or a subsidy pays its part of an invoice at most so many days after the due date; until
# then nobody is reminded of that part, restricted or charged interest for it.
DURE_PROGRAMME_DAYS = env.int("DURE_PROGRAMME_DAYS", default=90)
DURE_PREPAID_DAYS = env.int("DURE_PREPAID_DAYS", default=365)  # how long prepaid credit lasts
if DURE_VAT_ROUNDING not in {"truncate", "half_up", "up"} or DURE_VAT_BASIS not in {
    "document",
    "line",
}:
    raise ImproperlyConfigured(
        "DURE_VAT_ROUNDING is truncate, half_up or up; DURE_VAT_BASIS is document or line."
    )
if not 0 <= DURE_PROGRAMME_DAYS <= 1000:
    raise ImproperlyConfigured("DURE_PROGRAMME_DAYS is 0 to 1000 days.")
if not 0 <= DURE_REVIEW_UNTIL_DAY <= 10 or not 0 <= DURE_LATE_INTEREST_PERCENT <= 20:
    raise ImproperlyConfigured(
        "DURE_REVIEW_UNTIL_DAY is 0 to 10 (tax invoices are due on the 10th); "
        "DURE_LATE_INTEREST_PERCENT is 0 to 20 (the law allows no more)."
    )

_origin = urlsplit(DURE_WEB_ORIGIN)
_secure = _origin.scheme == "https"
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[_origin.hostname or "127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = [DURE_WEB_ORIGIN]

INSTALLED_APPS = [
    "tenants",
    "billing",
    "portal.catalog",
    "portal.fleet",
    "portal.usage",
    "portal.deployments",
    "portal.jobs",
    "django.contrib.admin.apps.SimpleAdminConfig",  # without the admin modules of others
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.kakao",
    "allauth.socialaccount.providers.naver",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
]

MIDDLEWARE = [
    "tenants.origins.RequestOrigin",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "portal.web.private.NoStore",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tenants.rls.TenantTransaction",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.context.page",
            ],
            "libraries": {"dure": "portal.web.templatetags.dure"},
        },
    }
]
FORM_RENDERER = "portal.web.components.DureFormRenderer"

# Two roles: the programs use one that owns nothing; `manage.py migrate --database owner` the other.
_database = env.db_url("DATABASE_URL")
_database |= {
    "ATOMIC_REQUESTS": False,
    "CONN_MAX_AGE": env.int("DURE_DB_CONN_MAX_AGE", default=60),
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {
        "connect_timeout": 5,
        "options": "-c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000",
    },
}
DATABASES = {"default": _database}
if env.bool("DURE_DB_POOL", default=False):
    # For web: under ASGI each request has a thread of its own, whose connection nobody would reuse.
    _database["CONN_MAX_AGE"] = 0
    _database["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 10, "timeout": 5}
if env.str("DATABASE_OWNER_URL", default=""):
    DATABASES["owner"] = env.db_url("DATABASE_OWNER_URL") | {"TEST": {"MIRROR": "default"}}

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "tenants.passwords.GuessableValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"

LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", _("Korean")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Seoul"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
SERVESTATIC_USE_MANIFEST = True

SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "manifest-src": [CSP.SELF],
}
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _secure
SESSION_COOKIE_NAME = "__Host-dure" if _secure else f"dure_{_origin.port or 80}"
CSRF_COOKIE_NAME = "__Host-dure-csrf" if _secure else f"dure_csrf_{_origin.port or 80}"
LANGUAGE_COOKIE_NAME = "dure_language"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
SECURE_SSL_REDIRECT = _secure
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _secure
DURE_BEHIND_PROXY = env.bool("DURE_BEHIND_PROXY", default=False)  # one balancer of our own
if DURE_BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

DEFAULT_FROM_EMAIL = env.str("DURE_MAIL_FROM", default="Dure <no-reply@dure.example>")
DURE_OUTBOX_DIR = env.str("DURE_OUTBOX_DIR", default="")
if DURE_OUTBOX_DIR:
    MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "OPTIONS": {"file_path": DURE_OUTBOX_DIR},
        }
    }
else:
    MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {
                "host": env.str("DURE_SMTP_HOST", default="localhost"),
                "port": env.int("DURE_SMTP_PORT", default=25),
                "username": env.str("DURE_SMTP_USER", default=""),
                "password": env.str("DURE_SMTP_PASSWORD", default=""),
                "use_tls": env.bool("DURE_SMTP_TLS", default=False),
                "timeout": 10,
            },
        }
    }

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.str("DURE_CACHE_URL", default=env.str("CELERY_BROKER_URL")),
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL")
CELERY_BEAT_SCHEDULER = "portal.schedule:AllDue"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False  # a lost nudge is found by the next sweep
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 100
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "max_retries": 1,
}
# Queues of a worker that is not told any: an installation with one worker has all but jobs in it.
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("celery", "sites")]
CELERY_TASK_ROUTES = {  # each queue has a worker of its own
    "portal.jobs.tasks.run": {"queue": "jobs"},
    # Whatever else there is to do (a month's end takes minutes), sites are asked: one that nobody
    # asks falls silent. So is what somebody waits for by the second.
    "portal.provisioning.tasks.*": {"queue": "sites"},
    "portal.routing.tasks.sweep_rollouts": {"queue": "sites"},
    "portal.routing.tasks.sweep_sizes": {"queue": "sites"},
    "portal.deployments.tasks.follow_opening_hours": {"queue": "sites"},
    "portal.deployments.tasks.sweep_drills": {"queue": "sites"},
}
CELERY_TIMEZONE = "Asia/Seoul"  # portal/schedule.py says when what is done

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.api.authentication.ActorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["portal.api.authentication.HasActor"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.api.bodies.Json"],
    "EXCEPTION_HANDLER": "portal.api.problems.problem",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Dure control API",
    "DESCRIPTION": "Organizations, projects, keys, models, sites, endpoints, usage, budgets and "
    "invoices. Calls need `Authorization: Bearer dure_…` or a signed-in session.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    # Two fields called "kind" have different choices.
    "ENUM_NAME_OVERRIDES": {
        "AccountEntryKindEnum": "billing.receivables.KINDS",
        "AgreementLineKindEnum": "billing.agreements.KINDS",
        "CarryKindEnum": ["named", "accident"],
        "DraftCommentKindEnum": ["comment", "objection"],
        "FoundingKindEnum": "tenants.founding.Choice.values",
        "FundingKindEnum": ["own", "prepaid", "voucher", "subsidy"],
        "NewFundingKindEnum": ["own", "voucher", "subsidy"],
        "OwnModelStateEnum": "portal.catalog.own_models.OwnModelState.values",
        "PriceTermKindEnum": "billing.price_changes.LIST_TERMS",
        "ReservationOutStateEnum": "portal.deployments.models.ReservationState.choices",
        "RequestKindEnum": "tenants.support.words.RequestKind.values",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "httpx2": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
    },
}

# Sign-up and sign-in (django-allauth)
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_ADAPTER = "tenants.adapters.AccountAdapter"
ACCOUNT_SIGNUP_FORM_CLASS = "tenants.forms.SignupForm"
ACCOUNT_CHANGE_EMAIL = True  # one address a person: a new one takes over once it is confirmed
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 3
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 600
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,5/300s/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if DURE_BEHIND_PROXY else 0
MFA_ADAPTER = "tenants.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # a passkey alone signs in: it must know its holder
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _secure and _origin.hostname in {"localhost", "127.0.0.1"}
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Dure"
MFA_TOTP_TOLERANCE = 1  # half minutes: clocks differ, and people type slowly
MFA_FORMS = {  # allauth forgets a used code while it is still valid; these do not
    "authenticate": "tenants.second_factors.AuthenticateForm",
    "reauthenticate": "tenants.second_factors.ReauthenticateForm",
    "activate_totp": "tenants.second_factors.ActivateForm",
}
USERSESSIONS_ADAPTER = "tenants.adapters.SessionsAdapter"

# Kakao and Naver are offered where their credentials are set. They prove nothing about an address
# that belongs to somebody already (SOCIALACCOUNT_EMAIL_AUTHENTICATION stays off).
SOCIALACCOUNT_ADAPTER = "tenants.adapters.SocialAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_PROVIDERS = {}
for _name, _hosts in (
    ("kakao", ["https://kauth.kakao.com", "https://accounts.kakao.com"]),
    ("naver", ["https://nid.naver.com"]),
):
    if _client := env.str(f"DURE_{_name.upper()}_CLIENT_ID", default=""):
        _app = {
            "client_id": _client,
            "secret": env.str(f"DURE_{_name.upper()}_CLIENT_SECRET", default=""),
        }
        SOCIALACCOUNT_PROVIDERS[_name] = {"APPS": [_app], "OAUTH_PKCE_ENABLED": True}
        SECURE_CSP["form-action"] += _hosts  # a form's answer may lead there
if find_spec("onelogin") and env.str("DURE_SAML_APPS", default=""):  # the extra `sso-saml`
    INSTALLED_APPS += ["allauth.socialaccount.providers.saml"]
    SOCIALACCOUNT_PROVIDERS["saml"] = {"APPS": env.json("DURE_SAML_APPS")}

# Single sign-on of organizations
DURE_DOMAIN_PROOF = env.str("DURE_DOMAIN_PROOF", default="tenants.domains.DnsProof")
# An issuer on this machine is for demonstrations and tests only.
DURE_LOOPBACK_ISSUERS = env.bool("DURE_LOOPBACK_ISSUERS", default=False) and not _secure

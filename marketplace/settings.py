"""All settings, for every way to run the product. Production differs from development by environment only.

Every variable read here is described in docs/settings.md and in .env.example; a test compares the three.
"""

from __future__ import annotations

from pathlib import Path

import dj_database_url
from csp import constants as csp

from marketplace import env, sandbox_gate

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

# --- What every deployment sets -------------------------------------------------------------------
DEBUG = env.flag("DEBUG", default=False)
# Every file of the installation lies below this folder; several machines share it.
DATA_DIR = Path(env.text("DATA_DIR") or BASE_DIR / "var").resolve()
# What `make run` made at its first start, so that manage.py works on its installation without being told.
KEPT = DATA_DIR / "secrets"

SECRET_KEY = env.secret("SECRET_KEY") or env.kept(KEPT, "secret_key")
if not SECRET_KEY:
    if not DEBUG:
        raise env.BadSetting("SECRET_KEY", "set: a long random text, or made by the first `make run`", "")
    SECRET_KEY = "only-for-debug-" + "0" * 40

ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS")
BASE_URL = env.text("BASE_URL", "http://localhost:8000")

# --- Where things are kept ------------------------------------------------------------------------
DATABASE_URL = env.secret("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'db.sqlite3'}"
REDIS_URL = env.secret("REDIS_URL") or env.kept(KEPT, "redis_url") or "redis://127.0.0.1:6379/0"
MONGODB_URL = env.secret("MONGODB_URL")
MONGODB_NAME = env.text("MONGODB_NAME", "pixelyard")

DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=60)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # WAL lets readers go on while one process writes; IMMEDIATE takes the write lock at BEGIN, so that
    # a transaction which reads first and writes later waits instead of failing with "database is locked".
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-20000;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

# --- The apps -------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "apps.accounts",  # before allauth, whose templates it replaces
    "allauth",
    "allauth.account",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "csp",
    "marketplace.apps.MarketplaceConfig",
    "apps.drive",
    "apps.cluster",
    "apps.catalog",
    "apps.processing",
    "apps.payments",
    "apps.market",
    "apps.benchmarks",
]

MIDDLEWARE = [
    "marketplace.metrics.MetricsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "marketplace.urls"
WSGI_APPLICATION = "marketplace.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "marketplace" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- People ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/drive/"
LOGOUT_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = env.choice("EMAIL_VERIFICATION", "optional", ("none", "optional", "mandatory"))
ACCOUNT_CHANGE_EMAIL = True  # one address; a new one takes over once it is confirmed
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # for changing what an open session must not be enough for
ACCOUNT_CONFIRM_EMAIL_ON_GET = False  # mail scanners follow links
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if BASE_URL.startswith("https:") else "http"
ACCOUNT_FORMS = {
    "signup": "apps.accounts.forms.SignUp",
    "login": "apps.accounts.forms.LogIn",
    "reset_password": "apps.accounts.forms.ForgotPassword",
    "reset_password_from_key": "apps.accounts.forms.NewPassword",
    "change_password": "apps.accounts.forms.ChangePassword",
    "add_email": "apps.accounts.forms.NewAddress",
    "reauthenticate": "apps.accounts.forms.Confirm",
}
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "20/m/ip,5/5m/key",
    "signup": "20/m/ip",
    "reset_password": "20/m/ip,5/m/key",
}
SIGNUP_OPEN = env.flag("SIGNUP_OPEN", default=True)
# How many proxies of ours a request passes: tells which address in X-Forwarded-For is the client's.
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXIES", 0, low=0)
API_TOKEN_DAYS = env.integer("API_TOKEN_DAYS", 365, low=1)
# Knox's own migrations make the table of the model that ours replaces; nothing would ever use it.
MIGRATION_MODULES = {"knox": None}
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105 - a model

# --- Mail -----------------------------------------------------------------------------------------
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.integer("EMAIL_PORT", 25, low=1, high=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Pixelyard <no-reply@localhost>")

# --- Limits (design: before any work) -------------------------------------------------------------
MAX_IMAGE_BYTES = env.integer("MAX_IMAGE_BYTES", 25_000_000, low=1)
MAX_IMAGE_PIXELS = env.integer("MAX_IMAGE_PIXELS", 50_000_000, low=1)
QUOTA_BYTES = env.integer("QUOTA_BYTES", 5_000_000_000, low=1)
TRASH_DAYS = env.integer("TRASH_DAYS", 30, low=1)
MAX_JOB_IMAGES = env.integer("MAX_JOB_IMAGES", 10_000, low=1)
MAX_RUNNING_JOBS = env.integer("MAX_RUNNING_JOBS", 8, low=1)
MAX_QUEUED_JOBS = env.integer("MAX_QUEUED_JOBS", 100, low=1)
JOB_IMAGE_SECONDS = env.integer("JOB_IMAGE_SECONDS", 60, low=1)
PREVIEW_SECONDS = env.integer("PREVIEW_SECONDS", 20, low=1)
PREVIEW_QUEUE = env.integer("PREVIEW_QUEUE", 8, low=1)

# --- Weights --------------------------------------------------------------------------------------
MAX_WEIGHTS_BYTES = env.integer("MAX_WEIGHTS_BYTES", 1_000_000_000, low=1)
WEIGHTS_QUOTA_BYTES = env.integer("WEIGHTS_QUOTA_BYTES", 10_000_000_000, low=1)
INTAKE_SECONDS = env.number("INTAKE_SECONDS", 600.0, low=1.0)
CONVERTER_PYTHON = env.text("CONVERTER_PYTHON")  # empty: see marketplace.converter_python

# --- The market -----------------------------------------------------------------------------------
FREE_PREVIEWS_PER_DAY = env.integer("FREE_PREVIEWS_PER_DAY", 3, low=0, high=1000)
DOWNLOAD_LINK_SECONDS = env.integer("DOWNLOAD_LINK_SECONDS", 600, low=1)

# --- Money (docs/money.md) ------------------------------------------------------------------------
STRIPE_SECRET_KEY = env.secret("STRIPE_SECRET_KEY")
STRIPE_WEBHOOK_SECRET = env.secret("STRIPE_WEBHOOK_SECRET")
STRIPE_API_BASE = env.text("STRIPE_API_BASE", "https://api.stripe.com")
# Test money is for development, and for a `make run` that only this machine can reach; nothing else opens it.
SANDBOX_ALLOWED = DEBUG or sandbox_gate.is_open(DATA_DIR, env.text("SANDBOX_GATE"))
PAYMENTS = env.choice("PAYMENTS", "auto", ("auto", "stripe", "sandbox", "off"))
if PAYMENTS == "auto":
    PAYMENTS = "stripe" if STRIPE_SECRET_KEY else "sandbox" if SANDBOX_ALLOWED else "off"
if PAYMENTS == "sandbox" and not SANDBOX_ALLOWED:
    raise env.BadSetting("PAYMENTS", "stripe or off: the sandbox needs DEBUG, or make run", PAYMENTS)
PAYMENT_CURRENCY = env.text("PAYMENT_CURRENCY", "eur").lower()
CREDIT_PRICE = env.integer("CREDIT_PRICE", 1, low=1)
TOPUP_MIN = env.integer("TOPUP_MIN", 500, low=1)
TOPUP_MAX = env.integer("TOPUP_MAX", 100_000, low=1)
PLATFORM_FEE_PERCENT = env.integer("PLATFORM_FEE_PERCENT", 15, low=0, high=100)
PAYOUT_MIN = env.integer("PAYOUT_MIN", 2_000, low=1)

# --- The cluster ----------------------------------------------------------------------------------
ENGINE = env.choice("ENGINE", "celery", ("celery", "kubernetes"))
BALANCING_POLICY = env.text("BALANCING_POLICY", "pull")
NODE_TIMEOUT = env.number("NODE_TIMEOUT", 5.0, low=0.5)
RUNTIME_TOKEN = env.secret("RUNTIME_TOKEN") or env.kept(KEPT, "runtime_token")

# --- Kubernetes (ENGINE=kubernetes): amounts and names are judged by apps/cluster/checks.py -------
KUBE_NAMESPACE = env.text("KUBE_NAMESPACE", "pixelyard-jobs")
KUBE_VOLUME_CLAIM = env.text("KUBE_VOLUME_CLAIM", "pixelyard-data")
KUBE_IMAGE = env.text("KUBE_IMAGE", f"pixelyard/{{family}}:{VERSION}")
KUBE_PULL_POLICY = env.choice("KUBE_PULL_POLICY", "IfNotPresent", ("IfNotPresent", "Always", "Never"))
KUBE_WORKER_CPU = env.text("KUBE_WORKER_CPU", "1")
KUBE_WORKER_MEMORY = env.text("KUBE_WORKER_MEMORY", "2Gi")
KUBE_PRIORITY_CLASS = env.text("KUBE_PRIORITY_CLASS")
KUBE_JOB_SECONDS = env.integer("KUBE_JOB_SECONDS", 21_600, low=60)
KUBE_TTL_SECONDS = env.integer("KUBE_TTL_SECONDS", 60, low=0)
KUBE_START_SECONDS = env.integer("KUBE_START_SECONDS", 120, low=5)
RUNTIME_IDLE_SECONDS = env.integer("RUNTIME_IDLE_SECONDS", 900, low=0)
PREVIEW_ROUTE = env.choice("PREVIEW_ROUTE", "pods", ("pods", "service"))

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "catalog.take_in": {"queue": "intake"},
    "catalog.publish_when_ready": {"queue": "intake"},
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Every task of this app ends well within the visibility timeout; a longer one would be delivered twice.
CELERY_TASK_TIME_LIMIT = 300
# The retries are those of who sends a task: without Redis, sending fails at once instead of after 6 seconds.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,
    "max_retries": 1,
    "interval_start": 0,
}

# --- Pages and API --------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT") or DATA_DIR / "static")
STATICFILES_DIRS = [BASE_DIR / "marketplace" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# A request body beyond this is refused; files have limits of their own, in these handlers.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000_000
DATA_UPLOAD_MAX_NUMBER_FILES = 1000
FILE_UPLOAD_HANDLERS = [
    "marketplace.incoming.MembersOnly",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "marketplace.incoming.BoundedFiles",
]
# Where the drive stages its uploads: what a crash leaves there is swept, and /tmp may be small.
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "drive" / ".incoming"
SILENCED_SYSTEM_CHECKS = ["files.E001"]  # that folder is made when the first file comes

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "marketplace.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "marketplace.api.Pagination",
    "EXCEPTION_HANDLER": "marketplace.api.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_PREFIX": "pxy_", "TOKEN_TTL": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "Pixelyard API",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

# --- Safety ---------------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "marketplace.site_errors.csrf_failed"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.SELF],
        "script-src": [csp.SELF],
        "style-src": [csp.SELF, csp.UNSAFE_INLINE],  # style attributes: bars and lanes have computed widths
        "img-src": [csp.SELF, "data:", "blob:"],
        "connect-src": [csp.SELF],
        "object-src": [csp.NONE],
        "base-uri": [csp.NONE],
        "form-action": [csp.SELF],
        "frame-ancestors": [csp.NONE],
    }
}
# For programs that read /metrics from elsewhere. Empty: staff, and programs on this machine.
METRICS_TOKEN = env.secret("METRICS_TOKEN")
HTTPS = env.flag("HTTPS", default=False)
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # asked within the cluster, past the proxy
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000

# --- Log: one line an event, on stderr ------------------------------------------------------------
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"not_readyz": {"()": "marketplace.logs.NotReadyz"}},
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["not_readyz"]}
    },
    "root": {"handlers": ["stderr"], "level": env.choice("LOG_LEVEL", "INFO", LEVELS)},
}

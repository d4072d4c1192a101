"""The API server, by the official client. The only module that imports `kubernetes`.

Where it is: the service account of the pod that this process runs in, else the file that KUBECONFIG names,
else `~/.kube/config`. Every call has a time limit and no retries: who asks comes back by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from apps.cluster.engines.base import EngineError
from apps.cluster.kube.api import (
    AlreadyThere,
    Expired,
    Listing,
    NoCluster,
    NotThere,
    Refused,
    Thing,
    Unreachable,
)

CONNECT, ANSWER = 2, 10  # seconds
_GROUPS = {"jobs": "batch", "deployments": "apps", "deployments/scale": "apps"}
_NOUNS = {  # as the client's methods call them
    "jobs": "namespaced_job",
    "pods": "namespaced_pod",
    "configmaps": "namespaced_config_map",
    "events": "namespaced_event",
    "nodes": "node",
    "deployments": "namespaced_deployment",
    "deployments/scale": "namespaced_deployment_scale",
}


class Client:
    """Nothing is connected, and nothing imported, before the first call. Safe for several threads."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def list(self, kind: str, labels: str = "", fields: str = "") -> Listing:
        found = self._ask("list", kind, label_selector=labels, field_selector=fields)
        return Listing(found.get("items") or [], found["metadata"].get("resourceVersion", ""))

    def get(self, kind: str, name: str) -> Thing:
        return self._ask("read", kind, name)

    def create(self, kind: str, body: Thing) -> Thing:
        return self._ask("create", kind, body=body)

    def delete(self, kind: str, name: str, *, uid: str = "", grace: int | None = None) -> None:
        options: Thing = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        self._ask("delete", kind, name, body=options)

    def watch(self, kind: str, version: str, seconds: int, labels: str = "") -> Iterator[Thing]:
        answer = self._send(
            "list",
            kind,
            label_selector=labels,
            watch=True,
            resource_version=version,
            timeout_seconds=seconds,
            _request_timeout=(CONNECT, seconds + CONNECT),
        )
        try:
            for line in _lines(answer):
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    raise _told(event["object"].get("code", 0), event["object"].get("message", ""))
                yield event
        except (OSError, ValueError, self._http_error) as error:
            raise Unreachable(f"the watch broke off: {error}") from error
        finally:
            answer.close()

    def scale(self, deployment: str, replicas: int) -> None:
        self._ask("patch", "deployments/scale", deployment, body={"spec": {"replicas": replicas}})

    def may(self, verb: str, kind: str) -> bool:
        resource, _, subresource = kind.partition("/")
        where = {"namespace": self.namespace} if kind != "nodes" else {}
        question = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {
                "resourceAttributes": {
                    "verb": verb,
                    "group": _GROUPS.get(kind, ""),
                    "resource": resource,
                    "subresource": subresource,
                    **where,
                }
            },
        }
        review = self._library.AuthorizationV1Api(self._connection).create_self_subject_access_review
        return bool(self._guarded(review, body=question)["status"].get("allowed"))

    def version(self) -> str:
        code = self._guarded(self._library.VersionApi(self._connection).get_code)
        return str(code.get("gitVersion", "")).removeprefix("v")

    def _ask(self, verb: str, kind: str, *names: str, **options: Any) -> Thing:
        return _json(self._send(verb, kind, *names, **options))

    def _send(self, verb: str, kind: str, *names: str, **options: Any) -> Any:
        noun = _NOUNS[kind]
        groups = {"batch": self._library.BatchV1Api, "apps": self._library.AppsV1Api}
        group = groups.get(_GROUPS.get(kind, ""), self._library.CoreV1Api)
        method = getattr(group(self._connection), f"{verb}_{noun}")
        where = () if kind == "nodes" else (self.namespace,)
        return self._raw(method, *names, *where, **{key: value for key, value in options.items() if value})

    def _guarded(self, method: Any, *arguments: Any, **options: Any) -> Thing:
        return _json(self._raw(method, *arguments, **options))

    def _raw(self, method: Any, *arguments: Any, **options: Any) -> Any:
        options = {"_preload_content": False, "_request_timeout": (CONNECT, ANSWER)} | options
        try:
            return method(*arguments, **options)
        except self._library.ApiException as error:
            raise _told(error.status, _message(error.body) or error.reason) from error
        except (OSError, self._http_error) as error:
            raise Unreachable(f"the cluster's API server does not answer: {error}") from error

    @cached_property
    def _library(self) -> Any:
        try:
            from kubernetes import client
        except ImportError as error:
            text = "ENGINE=kubernetes needs the official client: install the extra `kubernetes`"
            raise NoCluster(f"{text} (pip install 'kubernetes>=31')") from error
        return client

    @cached_property
    def _http_error(self) -> type[Exception]:
        from urllib3.exceptions import HTTPError  # a dependency of the client

        return HTTPError

    @cached_property
    def _connection(self) -> Any:
        library = self._library
        from kubernetes import config

        where = library.Configuration()
        try:
            try:
                config.load_incluster_config(client_configuration=where)
            except config.ConfigException:
                config.load_kube_config(client_configuration=where)
        except (config.ConfigException, OSError) as error:
            text = "no cluster is configured: run in a pod with a service account, or set KUBECONFIG"
            raise NoCluster(f"{text} ({error})") from error
        where.retries = False
        return library.ApiClient(where)


def _lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    for part in answer.stream(amt=None, decode_content=False):
        *lines, rest = (rest + part).split(b"\n")
        yield from (line for line in lines if line.strip())


def _json(answer: Any) -> Thing:
    try:
        found = json.loads(answer.data)
    except ValueError as error:
        raise Unreachable(f"the cluster's API server answers with something else: {error}") from error
    return found if isinstance(found, dict) else {}


def _message(body: Any) -> str:
    try:
        return str(json.loads(body)["message"])
    except (KeyError, TypeError, ValueError):
        return str(body or "")[:300]


_KINDS: dict[int, type[EngineError]] = {404: NotThere, 409: AlreadyThere, 410: Expired}


def _told(status: int | None, message: str) -> EngineError:
    """4xx is an answer; 5xx and 429 mean: not now."""
    status = status or 0
    if status == 429 or not 400 <= status < 500:
        return Unreachable(f"the cluster's API server can't answer now ({status}): {message}")
    return _KINDS.get(status, Refused)(f"the cluster refuses: {message}")

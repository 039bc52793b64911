"""Amends the OpenAPI document with recorded behaviour of the service, so that the checks can test the mock against both.

The document publishes only the statuses 200 and 422. Every amendment either documents more or restricts more; none allows what the
document forbids. An amendment fails once the document makes it unnecessary.
"""

import json
from pathlib import Path

METHODS = ("get", "put", "post", "delete", "patch")
ROOT = Path(__file__).resolve().parents[2]
UPSTREAM = ROOT / "openapi/upstream.json"
# The same document with the corrections of the overlay, which states their reasons.
CORRECTED = ROOT / "liveavatar-api/openapi/service.json"
SANDBOX_AVATAR = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a"
SANDBOX_EMBED_AVATAR = "65f9e3c9-d48b-4118-b73a-4ae2e3cbb8f0"
SANDBOX_SECONDS = 60
# The limit of the mock. The limit of the service depends on the plan.
MAX_SECONDS = 1200


def amend(document):
    """Applies every amendment to a document as published."""
    corrected = json.loads(CORRECTED.read_text())
    add_withdrawn(document, corrected)
    add_error_statuses(document, corrected)
    require_session_id(document)
    require_persona_or_agent(document)
    restrict_sandbox(document)
    add_links(document)


def write(file):
    """Writes the amended document, for tools that read a file."""
    document = json.loads(UPSTREAM.read_text())
    amend(document)
    file.write_text(json.dumps(document, indent=1))


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def add_withdrawn(document, corrected):
    """Adds the operations and the session mode that only the early documentation lists."""
    known = {(path, method) for path, method, _ in operations(document)}
    added = [entry for entry in operations(corrected) if entry[:2] not in known]
    assert added, "the published document already has every operation of the corrected one"
    for path, method, operation in added:
        document["paths"].setdefault(path, {})[method] = operation
        operation["responses"].pop("4XX", None)
    copy_schemas(document, corrected, added)
    # CUSTOM, the older name of LITE.
    custom = [schema for schema in token_request(corrected)["oneOf"] if schema not in token_request(document)["oneOf"]]
    assert custom, "the published document already has every session mode of the corrected one"
    token_request(document)["oneOf"] += custom
    copy_schemas(document, corrected, custom)


def add_error_statuses(document, corrected):
    """Adds each error status where it was recorded, with the recorded body."""
    body = corrected["paths"]["/v1/users/credits"]["get"]["responses"]["4XX"]
    copy_schemas(document, corrected, body)
    for path, method, operation in operations(document):
        statuses = set()
        if operation.get("security"):
            # The credential is missing, wrong, or an API key where a token is required.
            statuses.add("401")
        if "requestBody" in operation or path == "/v1/sessions/start":
            # The request is valid by its schema, but contradicts the account or itself.
            statuses.add("400")
        if path == "/v1/sessions/start":
            # No free slot, or no credits.
            statuses.add("403")
        if "{" in path or path in ("/v1/sessions/keep-alive", "/v1/sessions/stop"):
            statuses.add("404")
        for status in statuses:
            operation["responses"].setdefault(status, body)


def require_session_id(document):
    """Requires `session_id` to stop a session or keep it alive: an API key does not identify the session as a token does."""
    for path in ("/v1/sessions/keep-alive", "/v1/sessions/stop"):
        request = document["paths"][path]["post"]["requestBody"]
        content = request["content"]["application/json"]
        content.pop("default", None)
        schema = schema_of(document, content["schema"])
        assert "session_id" not in schema.get("required", []), f"{path} already requires session_id"
        schema["required"] = [*schema.get("required", []), "session_id"]
        schema["properties"]["session_id"] = {"type": "string", "format": "uuid"}
        request["required"] = True


def require_persona_or_agent(document):
    """Requires exactly one of `avatar_persona` and `voice_agent` in FULL, and allows variables only with a persona."""
    schemas = document["components"]["schemas"]
    full = schemas.pop("FullSDKSessionTokenConfigDataSchema")
    alternatives = []
    for given, other in (("avatar_persona", "voice_agent"), ("voice_agent", "avatar_persona")):
        properties = dict(full["properties"])
        properties[given] = next(schema for schema in properties[given]["anyOf"] if "$ref" in schema)
        properties[other] = {"type": "null"}
        if given == "voice_agent":
            properties["dynamic_variables"] = {"type": "null"}
        name = f"Full_{given}"
        schemas[name] = {**full, "properties": properties, "required": [*full["required"], given]}
        alternatives.append({"$ref": f"#/components/schemas/{name}"})
    union = token_request(document)["oneOf"]
    full = next(schema for schema in union if schema["$ref"].endswith("/FullSDKSessionTokenConfigDataSchema"))
    union[union.index(full) : union.index(full) + 1] = alternatives
    token_request(document).pop("discriminator", None)


def restrict_sandbox(document):
    """Limits the sandbox to its avatar and to sessions of 60 s, and other sessions to the maximum of the plan."""
    schemas = document["components"]["schemas"]
    for path, avatar, limits in (
        ("/v1/sessions/token", SANDBOX_AVATAR, (MAX_SECONDS, SANDBOX_SECONDS)),
        ("/v2/embeddings", SANDBOX_EMBED_AVATAR, None),
    ):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        union = content["schema"].get("oneOf") or [content["schema"]]
        content["schema"] = {"oneOf": union}
        for alternative in list(union):
            schema = schema_of(document, alternative)
            properties = {
                **schema["properties"],
                "is_sandbox": {"const": True, "type": "boolean"},
                "avatar_id": {"const": avatar, "type": "string"},
            }
            if limits and "max_session_duration" in properties:
                schema["properties"]["max_session_duration"] = seconds_up_to(limits[0])
                properties["max_session_duration"] = seconds_up_to(limits[1])
            name = alternative["$ref"].rsplit("/", 1)[1] + "_sandbox"
            schemas[name] = {**schema, "properties": properties, "required": [*schema["required"], "is_sandbox"]}
            union.append({"$ref": f"#/components/schemas/{name}"})
            schema["properties"]["is_sandbox"] = {"const": False, "default": False, "type": "boolean"}


def add_links(document):
    """Links the operations that create a resource to those that use it, so that schemathesis can call them in order."""
    for path, method, operation in operations(document):
        if method != "post":
            continue
        for status, response in operation["responses"].items():
            created = data_properties(document, response)
            if not status.startswith("2") or not created:
                continue
            links = {}
            for other, verb, target in operations(document):
                parameter = resource_parameter(path, other)
                field = next((name for name in ("id", parameter) if name in created), None) if parameter else None
                if field:
                    value = f"$response.body#/data/{field}"
                    links[f"{verb} {other}".replace("/", ".")] = link(target, parameters={parameter: value})
            if path == "/v1/sessions/start":
                body = {"session_id": "$response.body#/data/session_id"}
                for other in ("/v1/sessions/keep-alive", "/v1/sessions/stop"):
                    target = document["paths"][other]["post"]
                    links[other.replace("/", ".")] = link(target, requestBody=body)
            if links:
                response["links"] = links


def resource_parameter(creator, user):
    """The path parameter of `user` that identifies what `creator` creates, such as `voice_id` in `/v1/voices/{voice_id}`."""
    segments = user.split("/")
    for noun, segment in zip(segments, segments[1:]):
        if segment.startswith("{") and noun in creator.split("/"):
            return segment.strip("{}")
    return None


def link(target, **values):
    return {"operationId": target["operationId"], **values}


def data_properties(document, response):
    """The properties of the data in a response's envelope."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    data = schema_of(document, schema).get("properties", {}).get("data", {})
    members = data.get("anyOf", [data])
    return next((schema_of(document, member).get("properties") for member in members if "$ref" in member), None)


def seconds_up_to(maximum):
    return {"anyOf": [{"type": "integer", "maximum": maximum}, {"type": "null"}]}


def token_request(document):
    return document["paths"]["/v1/sessions/token"]["post"]["requestBody"]["content"]["application/json"]["schema"]


def schema_of(document, schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def copy_schemas(document, source, part):
    """Copies every schema that a part of `source` refers to."""
    known = document["components"]["schemas"]
    for name in schema_names(part):
        if name not in known:
            known[name] = source["components"]["schemas"][name]
            copy_schemas(document, source, known[name])


def schema_names(part):
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].rsplit("/", 1)[1]
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for child in part:
            yield from schema_names(child)


"""What the service does beside what its document says, put into the document, so that a judge may hold the mock to both.

The document publishes 200 and 422 alone. Everything here is recorded elsewhere, and only narrows or names: nothing makes a
judge accept what the document forbids. Each step fails when the document has moved on and the step is needed no more.
"""

import json
from pathlib import Path

METHODS = ("get", "put", "post", "delete", "patch")
ROOT = Path(__file__).resolve().parents[2]
UPSTREAM = ROOT / "openapi/upstream.json"
# The same document with the overlay's corrections, each with its reason there.
CORRECTED = ROOT / "liveavatar-api/openapi/service.json"
SANDBOX_AVATAR = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a"
SANDBOX_EMBED_AVATAR = "65f9e3c9-d48b-4118-b73a-4ae2e3cbb8f0"
SANDBOX_SECONDS = 60
# The mock's own limit; the service has one per plan.
LONGEST_SECONDS = 1200


def put_into(document):
    """Adds it all to a document as it was published."""
    corrected = json.loads(CORRECTED.read_text())
    withdrawn(document, corrected)
    refusals(document, corrected)
    sessions_by_key(document)
    persona_or_agent(document)
    sandbox(document)
    references(document)


def write(file):
    """Writes the published document with all of it, for judges that read a file."""
    document = json.loads(UPSTREAM.read_text())
    put_into(document)
    file.write_text(json.dumps(document, indent=1))


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def withdrawn(document, corrected):
    """What the early documentation has and the later one no longer lists: operations, and a kind of session."""
    known = {(path, method) for path, method, _ in operations(document)}
    added = [it for it in operations(corrected) if it[:2] not in known]
    assert added, "the document has all operations of the corrected one"
    for path, method, operation in added:
        document["paths"].setdefault(path, {})[method] = operation
        operation["responses"].pop("4XX", None)
    copy_schemas(document, corrected, added)
    # So is the older name of LITE.
    custom = [it for it in token_request(corrected)["oneOf"] if it not in token_request(document)["oneOf"]]
    assert custom, "the document has all kinds of sessions of the corrected one"
    token_request(document)["oneOf"] += custom
    copy_schemas(document, corrected, custom)


def refusals(document, corrected):
    """The statuses of refused calls, each where it was seen, with the recorded body."""
    body = corrected["paths"]["/v1/users/credits"]["get"]["responses"]["4XX"]
    copy_schemas(document, corrected, body)
    for path, method, operation in operations(document):
        statuses = set()
        if operation.get("security"):
            # No key, a wrong one, or the key where a token is due.
            statuses.add("401")
        if "requestBody" in operation or path == "/v1/sessions/start":
            # Well-formed, and at odds with the account or with itself.
            statuses.add("400")
        if path == "/v1/sessions/start":
            # No slot, no credits.
            statuses.add("403")
        if "{" in path or path in ("/v1/sessions/keep-alive", "/v1/sessions/stop"):
            statuses.add("404")
        for status in statuses:
            operation["responses"].setdefault(status, body)


def sessions_by_key(document):
    """Stop and keep-alive take the session's id from a token; an API key has to name it."""
    for path in ("/v1/sessions/keep-alive", "/v1/sessions/stop"):
        request = document["paths"][path]["post"]["requestBody"]
        content = request["content"]["application/json"]
        content.pop("default", None)
        schema = schema_of(document, content["schema"])
        assert "session_id" not in schema.get("required", []), f"{path} requires session_id by itself"
        schema["required"] = [*schema.get("required", []), "session_id"]
        schema["properties"]["session_id"] = {"type": "string", "format": "uuid"}
        request["required"] = True


def persona_or_agent(document):
    """FULL takes exactly one of `avatar_persona` and `voice_agent`, and variables only beside the former."""
    schemas = document["components"]["schemas"]
    full = schemas.pop("FullSDKSessionTokenConfigDataSchema")
    alternatives = []
    for given, other in (("avatar_persona", "voice_agent"), ("voice_agent", "avatar_persona")):
        properties = dict(full["properties"])
        properties[given] = next(it for it in properties[given]["anyOf"] if "$ref" in it)
        properties[other] = {"type": "null"}
        if given == "voice_agent":
            properties["dynamic_variables"] = {"type": "null"}
        name = f"Full_{given}"
        schemas[name] = {**full, "properties": properties, "required": [*full["required"], given]}
        alternatives.append({"$ref": f"#/components/schemas/{name}"})
    union = token_request(document)["oneOf"]
    full = next(it for it in union if it["$ref"].endswith("/FullSDKSessionTokenConfigDataSchema"))
    union[union.index(full) : union.index(full) + 1] = alternatives
    token_request(document).pop("discriminator", None)


def sandbox(document):
    """In the sandbox there is one avatar, and a session has a minute; elsewhere the plan's longest session."""
    schemas = document["components"]["schemas"]
    for path, avatar, longest in (
        ("/v1/sessions/token", SANDBOX_AVATAR, (LONGEST_SECONDS, SANDBOX_SECONDS)),
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
            if longest and "max_session_duration" in properties:
                schema["properties"]["max_session_duration"] = seconds(longest[0])
                properties["max_session_duration"] = seconds(longest[1])
            name = alternative["$ref"].rsplit("/", 1)[1] + "_sandbox"
            schemas[name] = {**schema, "properties": properties, "required": [*schema["required"], "is_sandbox"]}
            union.append({"$ref": f"#/components/schemas/{name}"})
            schema["properties"]["is_sandbox"] = {"const": False, "default": False, "type": "boolean"}


def references(document):
    """What one call makes, the others take: without this no tester knows which calls belong together."""
    for path, method, operation in operations(document):
        if method != "post":
            continue
        for status, response in operation["responses"].items():
            made = answer_data(document, response)
            if not status.startswith("2") or not made:
                continue
            links = {}
            for other, verb, target in operations(document):
                part = taken_from(path, other)
                pointer = next((it for it in ("id", part) if it in made), None) if part else None
                if pointer:
                    value = f"$response.body#/data/{pointer}"
                    links[f"{verb} {other}".replace("/", ".")] = link(target, parameters={part: value})
            if path == "/v1/sessions/start":
                body = {"session_id": "$response.body#/data/session_id"}
                for other in ("/v1/sessions/keep-alive", "/v1/sessions/stop"):
                    target = document["paths"][other]["post"]
                    links[other.replace("/", ".")] = link(target, requestBody=body)
            if links:
                response["links"] = links


def taken_from(maker, taker):
    """The path parameter of `taker` that stands for one of what `maker` makes: `{voice_id}` behind `voices`."""
    parts = taker.split("/")
    for noun, part in zip(parts, parts[1:]):
        if part.startswith("{") and noun in maker.split("/"):
            return part.strip("{}")
    return None


def link(target, **values):
    return {"operationId": target["operationId"], **values}


def answer_data(document, response):
    """The properties of what an answer's envelope holds."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    data = schema_of(document, schema).get("properties", {}).get("data", {})
    members = data.get("anyOf", [data])
    return next((schema_of(document, it).get("properties") for it in members if "$ref" in it), None)


def seconds(most):
    return {"anyOf": [{"type": "integer", "maximum": most}, {"type": "null"}]}


def token_request(document):
    return document["paths"]["/v1/sessions/token"]["post"]["requestBody"]["content"]["application/json"]["schema"]


def schema_of(document, schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def copy_schemas(document, source, part):
    """Brings along what a part of another document refers to."""
    known = document["components"]["schemas"]
    for name in names(part):
        if name not in known:
            known[name] = source["components"]["schemas"][name]
            copy_schemas(document, source, known[name])


def names(part):
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].rsplit("/", 1)[1]
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for it in part:
            yield from names(it)


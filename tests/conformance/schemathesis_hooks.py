"""Extends schemathesis where its configuration cannot: amends the document, and provides the credentials."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import amend_document
import requests
import schemathesis

API_KEY = {"X-API-KEY": os.environ["LIVEAVATAR_API_KEY"]}
# The bodies that refer to a stored secret, with its type. A generated id would never exist.
SECRET_TYPES = {
    "CreateLLMConfigurationSchema": "OPENAI_API_KEY",
    "UpdateLLMConfigurationSchema": "OPENAI_API_KEY",
    "ThirdPartyVoiceBindRequestSchema": "ELEVENLABS_API_KEY",
}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    amend_document.amend(raw_schema)
    for name, secret_type in SECRET_TYPES.items():
        secret = raw_schema["components"]["schemas"][name]["properties"]["secret_id"]
        secret["enum"] = [create_secret(secret_type)]


def create_secret(secret_type):
    body = {"secret_name": secret_type, "secret_type": secret_type, "secret_value": "nothing"}
    response = requests.post(f"{os.environ['MOCK_URL']}/v1/secrets", headers=API_KEY, json=body, timeout=10)
    return response.json()["data"]["id"]


@schemathesis.auth(refresh_interval=None)
class Credentials:
    """The API key, or a new session token for each start, because a token starts only one session."""

    def __init__(self):
        self.last_session = None

    def get(self, case, context):
        schemes = {name for alternative in case.operation.definition.raw.get("security", []) for name in alternative}
        if "APIKeyHeader" in schemes:
            return API_KEY
        if "HTTPBearer" in schemes:
            return {"Authorization": f"Bearer {self.token(case.operation.schema.config.base_url)}"}
        return None

    def token(self, base):
        post = lambda path, body: requests.post(f"{base}/v1/sessions/{path}", headers=API_KEY, json=body, timeout=10)
        if self.last_session:
            # Frees its slot.
            post("stop", {"session_id": self.last_session})
        body = {"mode": "LITE", "avatar_id": amend_document.SANDBOX_AVATAR, "is_sandbox": True}
        data = post("token", body).json()["data"]
        self.last_session = data["session_id"]
        return data["session_token"]

    def set(self, case, data, context):
        case.headers.update(data)

"""What schemathesis cannot be told in its configuration: the recorded facts, and who is calling."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import recorded
import requests
import schemathesis

KEY = {"X-API-KEY": os.environ["LIVEAVATAR_API_KEY"]}


# Bodies that name a secret, with its type: no random text is one that is stored.
SECRETS = {
    "CreateLLMConfigurationSchema": "OPENAI_API_KEY",
    "UpdateLLMConfigurationSchema": "OPENAI_API_KEY",
    "ThirdPartyVoiceBindRequestSchema": "ELEVENLABS_API_KEY",
}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    recorded.put_into(raw_schema)
    for name, kind in SECRETS.items():
        secret = raw_schema["components"]["schemas"][name]["properties"]["secret_id"]
        secret["enum"] = [stored(kind)]


def stored(kind):
    body = {"secret_name": kind, "secret_type": kind, "secret_value": "nothing"}
    answer = requests.post(f"{os.environ['JUDGED']}/v1/secrets", headers=KEY, json=body, timeout=10)
    return answer.json()["data"]["id"]


@schemathesis.auth(refresh_interval=None)
class Caller:
    """The API key, and for each start a token of its own: a token starts one session."""

    def __init__(self):
        self.last = None

    def get(self, case, context):
        schemes = {name for alternative in case.operation.definition.raw.get("security", []) for name in alternative}
        if "APIKeyHeader" in schemes:
            return KEY
        if "HTTPBearer" in schemes:
            return {"Authorization": f"Bearer {self.token(case.operation.schema.config.base_url)}"}
        return None

    def token(self, base):
        post = lambda path, body: requests.post(f"{base}/v1/sessions/{path}", headers=KEY, json=body, timeout=10)
        if self.last:
            # For its slot.
            post("stop", {"session_id": self.last})
        body = {"mode": "LITE", "avatar_id": recorded.SANDBOX_AVATAR, "is_sandbox": True}
        minted = post("token", body).json()["data"]
        self.last = minted["session_id"]
        return minted["session_token"]

    def set(self, case, data, context):
        case.headers.update(data)

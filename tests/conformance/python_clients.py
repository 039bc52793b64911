"""Runs sessions on the mock with the API classes of livekit-plugins-liveavatar and pipecat-ai: token, start, stop."""

import asyncio
import os
import sys
from types import SimpleNamespace

import aiohttp
from livekit.agents import APIConnectOptions, APIStatusError
from livekit.plugins.liveavatar.api import LiveAvatarAPI
from pipecat.services.heygen.api_liveavatar import (
    AvatarPersona,
    CustomSDKLiveKitConfig,
    LiveAvatarApi,
    LiveAvatarApiError,
    LiveAvatarNewSessionRequest,
)

API_KEY = os.environ["LIVEAVATAR_API_KEY"]
SANDBOX_AVATAR = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a"
# The plugin retries by default, which would hide the first failure. `max_retry` counts the attempts.
SINGLE_ATTEMPT = APIConnectOptions(max_retry=1)


async def main(base):
    async with aiohttp.ClientSession() as http:
        await livekit(base, http)
        await pipecat(base, http)


async def livekit(base, http):
    url = f"{base}/v1/sessions"
    api = LiveAvatarAPI(API_KEY, api_url=url, session=http, conn_options=SINGLE_ATTEMPT)
    created = await api.create_streaming_session(
        livekit_url="wss://room.example.com",
        livekit_token="a.client.token",
        room=SimpleNamespace(name="room"),
        avatar_id=SANDBOX_AVATAR,
        is_sandbox=True,
        # The service ignores this field at the top level.
        video_quality="high",
    )
    session = created["data"]
    started = await api.start_streaming_session(session["session_id"], session["session_token"])
    assert started["data"]["session_id"] == session["session_id"], started
    assert started["data"]["ws_url"].startswith(("ws:", "wss:")), started
    await keep_alive(base, http, session["session_token"])
    # The plugin takes a code of at most 200 for success. The service sends 1000, so the test compares the code itself.
    stopped = await api.stop_streaming_session(session["session_id"], session["session_token"])
    assert stopped["code"] == 1000, stopped
    await expect_error(APIStatusError, 404, api.stop_streaming_session(session["session_id"], session["session_token"]))
    foreign = LiveAvatarAPI("another-key", api_url=url, session=http, conn_options=SINGLE_ATTEMPT)
    request = foreign.create_streaming_session(
        livekit_url="wss://room.example.com",
        livekit_token="a.client.token",
        room=SimpleNamespace(name="room"),
        avatar_id=SANDBOX_AVATAR,
    )
    await expect_error(APIStatusError, 401, request)
    print("livekit-plugins-liveavatar: token, start, keep-alive, stop")


async def pipecat(base, http):
    api = LiveAvatarApi(API_KEY, http)
    api.BASE_URL = f"{base}/v1"
    room = CustomSDKLiveKitConfig(livekit_url="wss://room.example.com", livekit_room="room", livekit_client_token="a.b.c")
    requests = {
        "its own defaults": LiveAvatarNewSessionRequest(avatar_id=SANDBOX_AVATAR),
        # A field of FULL, which the service ignores in LITE.
        "a persona": LiveAvatarNewSessionRequest(
            avatar_id=SANDBOX_AVATAR, is_sandbox=True, max_session_duration=60, avatar_persona=AvatarPersona()
        ),
    }
    for name, request in requests.items():
        session = await api.new_session(request)
        assert session.ws_url and session.livekit_url and session.livekit_agent_token, name
        await keep_alive(base, http, api._session_token)
        stopped = await api.close_session(session.session_id)
        assert stopped["code"] == 1000, stopped
        print(f"pipecat-ai, {name}: token, start, keep-alive, stop")
    request = LiveAvatarNewSessionRequest(avatar_id=SANDBOX_AVATAR, livekit_config=room)
    minted = await api.create_session_token(request)
    assert minted.data.session_token, minted
    request = LiveAvatarNewSessionRequest(avatar_id="an older name")
    await expect_error(LiveAvatarApiError, 422, api.create_session_token(request))
    print("pipecat-ai, the caller's own room: token")


async def keep_alive(base, http, token):
    """Sends the keep-alive request of HeyGen's SDK. These clients only keep the socket alive."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with http.post(f"{base}/v1/sessions/keep-alive", headers=headers) as response:
        assert response.status == 200, await response.text()


async def expect_error(kind, status, call):
    try:
        await call
    except kind as error:
        actual = getattr(error, "status", None) or getattr(error, "status_code", None)
        assert actual == status, f"expected status {status}, got {actual}: {error}"
    else:
        raise AssertionError(f"expected status {status}, got a success")


asyncio.run(main(sys.argv[1]))

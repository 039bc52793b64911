"""The API classes of livekit-plugins-liveavatar and pipecat-ai, unchanged but for the address: token, start, stop."""

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

KEY = os.environ["LIVEAVATAR_API_KEY"]
SANDBOX_AVATAR = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a"
# It asks again after a failure; a judge wants to see the first one.
ONCE = APIConnectOptions(max_retry=1)


async def main(base):
    async with aiohttp.ClientSession() as http:
        await livekit(base, http)
        await pipecat(base, http)


async def livekit(base, http):
    url = f"{base}/v1/sessions"
    api = LiveAvatarAPI(KEY, api_url=url, session=http, conn_options=ONCE)
    made = await api.create_streaming_session(
        livekit_url="wss://room.example.com",
        livekit_token="a.client.token",
        room=SimpleNamespace(name="room"),
        avatar_id=SANDBOX_AVATAR,
        is_sandbox=True,
        # At the top, where the service ignores it.
        video_quality="high",
    )
    session = made["data"]
    started = await api.start_streaming_session(session["session_id"], session["session_token"])
    assert started["data"]["session_id"] == session["session_id"], started
    assert started["data"]["ws_url"].startswith(("ws:", "wss:")), started
    await keep_alive(base, http, session["session_token"])
    # The plugin reads success as a code of at most 200, which the service never sends; it goes by the status.
    stopped = await api.stop_streaming_session(session["session_id"], session["session_token"])
    assert stopped["code"] == 1000, stopped
    await refused(APIStatusError, 404, api.stop_streaming_session(session["session_id"], session["session_token"]))
    foreign = LiveAvatarAPI("another-key", api_url=url, session=http, conn_options=ONCE)
    made = foreign.create_streaming_session(
        livekit_url="wss://room.example.com",
        livekit_token="a.client.token",
        room=SimpleNamespace(name="room"),
        avatar_id=SANDBOX_AVATAR,
    )
    await refused(APIStatusError, 401, made)
    print("livekit-plugins-liveavatar: token, start, keep-alive, stop")


async def pipecat(base, http):
    api = LiveAvatarApi(KEY, http)
    api.BASE_URL = f"{base}/v1"
    room = CustomSDKLiveKitConfig(livekit_url="wss://room.example.com", livekit_room="room", livekit_client_token="a.b.c")
    requests = {
        "its own defaults": LiveAvatarNewSessionRequest(avatar_id=SANDBOX_AVATAR),
        # For FULL, and ignored in LITE.
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
    await refused(LiveAvatarApiError, 422, api.create_session_token(request))
    print("pipecat-ai, the caller's own room: token")


async def keep_alive(base, http, token):
    """The clients keep the socket alive instead; the call as the service's SDK sends it."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with http.post(f"{base}/v1/sessions/keep-alive", headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def refused(kind, status, call):
    try:
        await call
    except kind as error:
        seen = getattr(error, "status", None) or getattr(error, "status_code", None)
        assert seen == status, f"{seen} where {status} is due: {error}"
    else:
        raise AssertionError(f"accepted where {status} is due")


asyncio.run(main(sys.argv[1]))

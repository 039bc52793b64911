"""Writes the OpenAPI documents of an application that uses what FastAPI and pydantic offer, in several versions.

    python3 -m venv fastapi && fastapi/bin/pip install fastapi==0.165.0 pydantic==2.14.4 python-multipart email-validator
    fastapi/bin/python tests/it/xtask/fastapi/app.py

Each version changes the application in the way that a service changes: v2 grows, v3 breaks callers, and v4 is a rewrite. The
documents are committed, so that the tests need neither Python nor a network.
"""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from pathlib import Path as FilePath
from typing import Annotated, Any, Generic, Literal, NamedTuple, Optional, TypeVar, Union
from uuid import UUID

from fastapi import APIRouter, Body, Cookie, Depends, FastAPI, File, Form, Header, Path, Query, Response, Security, UploadFile
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPBasic,
    HTTPBearer,
    OAuth2PasswordBearer,
    OpenIdConnect,
    SecurityScopes,
)
from pydantic import (
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ByteSize,
    ConfigDict,
    EmailStr,
    Field,
    HttpUrl,
    Json,
    JsonValue,
    RootModel,
    SecretStr,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
    computed_field,
)
from typing_extensions import NotRequired, TypeAliasType, TypedDict

VERSIONS = 4
T = TypeVar("T")
K = TypeVar("K")
Tree = TypeAliasType("Tree", "dict[str, Tree] | list[Tree] | str | int | None")


def document(version: int) -> dict:
    """The document of a version. A field or operation under `if version >= 2` is added then, and so on."""

    class Color(str, Enum):
        red = "red"
        green = "green"
        if version >= 2:
            blue = "blue"
        if version >= 4:
            dark_red = "dark-red"

    class Level(IntEnum):
        low = 1
        high = 2
        if version >= 3:
            highest = 3

    class Ratio(float, Enum):
        half = 0.5
        whole = 1.0

    class Mixed(Enum):
        text = "text"
        number = 1

    class Single(str, Enum):
        only = "only"
        if version >= 3:
            other = "other"

    class Cat(BaseModel):
        kind: Literal["cat"]
        lives: Annotated[int, Field(ge=0, le=9 if version < 3 else 7)] = 9

    class Dog(BaseModel):
        kind: Literal["dog"]
        breed: str | int | None = None
        if version >= 2:
            good: StrictBool = True

    class Fish(BaseModel):
        kind: Literal["fish", "shark"] = "fish"
        sizes: list[str | int] | None = None

    class Bird(BaseModel):
        kind: Literal["bird"]
        wings: tuple[float, float]

    members = (Cat, Dog, Fish) if version < 2 else (Cat, Dog, Fish, Bird)
    Pet = Annotated[Union[members], Field(discriminator="kind")]

    class Square(BaseModel):
        shape: Literal["square"] = "square"
        side: Annotated[float, Field(gt=0)]

    class Circle(BaseModel):
        shape: Literal["circle"] = "circle"
        radius: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    class Group(BaseModel):
        """Contains shapes, and other groups."""

        shape: Literal["group"] = "group"
        parts: list[Annotated[Union[Square, Circle, "Group"], Field(discriminator="shape")]]

    Shape = Annotated[Union[Square, Circle, Group], Field(discriminator="shape")]

    class Node(BaseModel):
        name: str
        children: list["Node"] = []
        parent: Optional["Node"] = None
        if version >= 3:
            by_name: dict[str, "Node"] = {}

    class Envelope(BaseModel, Generic[T]):
        code: int = 100
        data: T | None = None
        message: str | None = None

    class Page(BaseModel, Generic[T]):
        count: int
        next: str | None = None
        previous: str | None = None
        results: list[T]

    class Pair(BaseModel, Generic[K, T]):
        """Two values of any types."""

        first: K
        second: T

    class Cursor(BaseModel, Generic[T]):
        items: list[T] = Field(default_factory=list)
        cursor: str | None = None

    class Chain(BaseModel, Generic[T]):
        value: T
        rest: Optional["Chain[T]"] = None

    class Alpha(BaseModel):
        a: int
        if version >= 2:
            note: str | None = None

    class Beta(BaseModel):
        b: str
        tags: set[str] = set()

    class Tags(RootModel[list[str]]):
        pass

    class Scores(RootModel[dict[str, float]]):
        pass

    class Choice(RootModel[Alpha | Beta]):
        pass

    class Name(RootModel[Annotated[str, StringConstraints(min_length=1, max_length=20)]]):
        pass

    class Point(NamedTuple):
        x: int
        y: int = 0

    @dataclass
    class Size:
        width: int
        height: int | None = None

    class Options(TypedDict):
        verbose: bool
        depth: NotRequired[int]

    class Base(BaseModel):
        id: UUID
        created: datetime

    class Derived(Base):
        """Inherits its id."""

        label: str = Field(description="What people see.", examples=["first"], max_length=30)
        size: Size
        options: Options
        point: Point

    class Camel(BaseModel):
        model_config = ConfigDict(alias_generator=lambda name: name.title().replace("_", ""), populate_by_name=True)

        first_name: str
        last_name: str | None = Field(None, alias="surname")
        read_name: str = Field("x", validation_alias="input-name", serialization_alias="output-name")
        type: Literal["camel"] = "camel"
        class_: int = Field(0, alias="class")

    class Area(BaseModel):
        width: float
        height: float

        @computed_field
        @property
        def area(self) -> float:
            return self.width * self.height

        @computed_field(deprecated=version >= 3)
        @property
        def shape(self) -> Literal["flat", "tall"] | None:
            return None

    class Loose(BaseModel):
        model_config = ConfigDict(extra="allow", json_schema_extra={"ui_order": version, "version": f"1.0.{version}"})
        __pydantic_extra__: dict[str, int]

        known: str = Field("?", json_schema_extra={"ui_hidden": version >= 2})

    class Empty(BaseModel):
        pass

    class Scalars(BaseModel):
        address: IPv4Address
        path: FilePath | None = None
        link: AnyUrl | None = None
        size: ByteSize = ByteSize(0)
        raw: Base64Bytes | None = None
        parsed: Json[list[int]] | None = None
        anything: JsonValue = None
        aware: AwareDatetime | None = None
        amount: Annotated[Decimal, Field(ge=0, max_digits=8, decimal_places=2)] = Decimal("0.00")
        ratio: Ratio = Ratio.half
        mixed: Mixed | None = None
        single: Single = Single.only
        nothing: None = None
        custom: Annotated[int, WithJsonSchema({"type": "integer", "format": "int64"})] = 0
        steps: Annotated[float, Field(multiple_of=0.5)] | None = None
        tree: Tree = None

    class Collections(BaseModel):
        unique: frozenset[int] = frozenset()
        queue: deque[str] = Field(default_factory=deque, max_length=3)
        rest: tuple[int, ...] = ()
        triple: tuple[int, str, Alpha] | None = None
        nothing: tuple[()] = ()
        sequence: Sequence[Color] = []
        mapping: Mapping[Color, list[int]] = {}
        levels: dict[int, Level] = {}
        numbers: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=3)] = [1]
        patterns: dict[Annotated[str, StringConstraints(pattern="^[a-z]+$" if version < 3 else "^[a-z0-9]+$")], str] = {}
        by_pattern: dict[Annotated[str, StringConstraints(pattern="^x")], Alpha] = {}
        inner: list[list[Alpha | None]] = []
        maps: list[dict[str, Alpha | Beta | None]] | None = None
        shapes: list[Shape] = []
        pairs: list[Pair[str, int | None]] = []

    class Everything(BaseModel):
        model_config = ConfigDict(extra="forbid")

        id: UUID
        when: datetime
        day: date
        at: time
        took: timedelta
        price: Decimal
        ratio: Annotated[float, Field(gt=0, lt=1)]
        color: Color = Color.red
        level: Level = Level.low
        tags: Tags
        meta: dict[str, Any] = {}
        counts: dict[str, int] = {}
        nested: dict[str, list[Alpha | None]] = {}
        pair: tuple[int, str] = (1, "a")
        anything: Any = None
        email: EmailStr
        url: HttpUrl
        secret: SecretStr | None = None
        lit: Literal[1, 2, 3] = 1
        mixed: Literal["a", 1] = "a"
        pet: Pet | None = None
        ab: Alpha | Beta | None = None
        code: Annotated[str, Field(min_length=2, max_length=4, pattern="^[a-z]+$")] | None = None
        ids: list[UUID] | None = None
        matrix: list[list[float]] = []
        many: dict[str, Alpha | Beta] | None = None
        flag: bool | None = None
        n: Annotated[int, Field(multiple_of=5)] | None = None
        b64: bytes = b""
        u: int | str = 1
        un: float | bool | None = None
        opt_enum: Color | None = None
        enum_list: list[Color] = []
        lits: list[Literal["x", "y"]] = []
        node: Node | None = None
        old: str | None = Field(None, deprecated=True, title="The old one")
        if version >= 2:
            added: list[Pair[str, Color]] | None = None
        if version >= 3:
            required: Annotated[str, Field(min_length=1)]

    class Patch(BaseModel):
        name: str | None = None
        value: str | int | None = None
        pets: list[Pet] | None = None
        color: Color | None = None
        lit: Literal["a", "b"] | None = None
        names: list[Annotated[str, Field(max_length=3)]] | None = None
        obj: dict[str, int | str] | None = None
        shape: Shape | None = None
        choice: Choice | None = None

    class Filters(BaseModel):
        limit: Annotated[int, Field(gt=0, le=100)] = 10
        q: str | None = None
        colors: list[Color] = []
        level: Level | None = None
        order: Literal["asc", "desc"] = "asc"

    class Headers(BaseModel):
        x_trace: str
        if_match: list[str] = []
        save_data: bool | None = None

    class Cookies(BaseModel):
        session: str | None = None
        tracker: int = 0

    class Credentials(BaseModel):
        user: Annotated[str, Field(min_length=3)]
        password: SecretStr
        remember: bool = False

    class Problem(BaseModel):
        detail: str
        fields: list[Pair[str, str]] = []

    class Event(BaseModel):
        at: datetime
        body: Shape

    key = APIKeyHeader(name="X-Key")
    bearer = HTTPBearer(description="A session." if version >= 2 else None)
    oauth = OAuth2PasswordBearer(tokenUrl="token", scopes={"a": "A", "b": "B"}, auto_error=False)
    options: dict[str, Any] = {}
    if version >= 4:
        options["generate_unique_id_function"] = lambda route: route.name
        options["separate_input_output_schemas"] = False
        options["servers"] = [{"url": "https://example.com/api"}]
    app = FastAPI(title="Every", version=str(version), summary="Uses everything.", **options)

    # Unions, generics and models.

    @app.get("/v1/pets/{pet_id}", response_model=Pet)
    def get_pet(
        pet_id: Annotated[int, Path(ge=1)],
        color: Color | None = None,
        level: Level = Level.low,
        x_token: Annotated[str | None, Header()] = None,
        sid: Annotated[str | None, Cookie()] = None,
    ): ...

    @app.post("/v1/pets", status_code=201)
    def create_pet(pet: Pet) -> Envelope[Pet]: ...

    @app.get("/v1/union")
    def union() -> Alpha | Beta: ...

    @app.get("/v1/env-union")
    def env_union() -> Envelope[Alpha | Beta]: ...

    @app.get("/v1/env-list-union")
    def env_list_union() -> Envelope[list[Alpha | Beta]]: ...

    @app.get("/v1/env-str-int")
    def env_str_int() -> Envelope[str | int]: ...

    @app.get("/v1/env-lit")
    def env_lit() -> Envelope[Literal["a", "b"] if version < 3 else Literal["a", "c"]]: ...

    @app.get("/v1/env-dict")
    def env_dict() -> Envelope[dict[str, Any] if version < 3 else Scores]: ...

    @app.get("/v1/env-tuple")
    def env_tuple() -> Envelope[tuple[int, str]]: ...

    @app.get("/v1/page-union")
    def page_union() -> Page[Alpha | Beta]: ...

    @app.get("/v1/page-lit")
    def page_lit() -> Envelope[Page[Literal["a", "b"]]]: ...

    @app.get("/v1/page-pet")
    def page_pet(page: int = 1, page_size: Annotated[int, Query(ge=1, le=100)] = 20) -> Envelope[Page[Pet]]: ...

    @app.get("/v1/page-nullable")
    def page_nullable() -> Page[str | None]: ...

    @app.get("/v1/pairs")
    def pairs() -> Pair[Alpha, list[Pair[int, Color | None]]]: ...

    @app.get("/v1/cursor")
    def cursor(after: str | None = None) -> Cursor[Shape]: ...

    @app.get("/v1/chain")
    def chain() -> Chain[int | str]: ...

    @app.post("/v1/shapes")
    def shapes(shape: Shape, count: Annotated[int, Body(embed=True)] = 1) -> Shape: ...

    @app.get("/v1/nodes")
    def nodes() -> list[Node]: ...

    @app.post("/v1/nodes")
    def create_node(node: Node) -> Node | None: ...

    @app.get("/v1/root")
    def root() -> Tags: ...

    @app.put("/v1/scores")
    def put_scores(scores: Scores) -> Scores: ...

    @app.put("/v1/choice")
    def put_choice(choice: Choice) -> Choice: ...

    @app.get("/v1/names/{name}")
    def names(name: Annotated[str, Path(max_length=20)]) -> list[Name]: ...

    @app.post("/v1/derived")
    def derived(value: Derived) -> Derived: ...

    @app.put("/v1/size")
    def put_size(size: Size) -> Size: ...

    @app.post("/v1/options")
    def set_options(value: Options) -> Options: ...

    @app.get("/v1/point")
    def point() -> Point: ...

    @app.post("/v1/camel")
    def camel(value: Camel) -> Camel: ...

    @app.post("/v1/area")
    def area(value: Area) -> Area: ...

    @app.post("/v1/loose")
    def loose(value: Loose) -> Loose: ...

    @app.post("/v1/empty")
    def empty(value: Empty) -> Empty: ...

    @app.post("/v1/scalars")
    def scalars(value: Scalars) -> Scalars: ...

    @app.patch("/v1/scalars/{size}")
    def patch_scalars(size: ByteSize, value: Scalars) -> Envelope[Scalars]: ...

    @app.post("/v1/collections")
    def collections(value: Collections) -> Collections: ...

    @app.post("/v1/everything")
    def everything(e: Everything) -> Everything: ...

    @app.put("/v1/everything")
    def put_everything(e: Everything | None = None) -> list[Everything] | None: ...

    @app.patch("/v1/everything/{id}")
    def patch_everything(id: UUID, p: Patch) -> Envelope[Everything]: ...

    # Bodies.

    @app.post("/v1/two-bodies")
    def two_bodies(a: Alpha, b: Beta, n: Annotated[int, Body()]) -> str: ...

    @app.post("/v1/list-body")
    def list_body(
        items: list[Alpha | Beta], x: Annotated[int | None, Query(gt=0, lt=10)] = None
    ) -> dict[str, Alpha | Beta]: ...

    @app.post("/v1/str-body")
    def str_body(text: Annotated[str | int, Body()]) -> str | int | None: ...

    @app.post("/v1/dict-body")
    def dict_body(value: dict[str, list[Pair[str, int]]]) -> dict[str, Any]: ...

    @app.post("/v1/any-body")
    def any_body(value: Annotated[Any, Body()] = None) -> Any: ...

    @app.post("/v1/enum-body")
    def enum_body(value: Annotated[Color, Body()], level: Annotated[Level, Body()] = Level.low) -> Color: ...

    @app.post("/v1/examples")
    def examples(
        value: Annotated[Beta, Body(openapi_examples={"one": {"summary": "One", "value": {"b": "x"}}})],
    ) -> Annotated[int, Field(ge=0)]: ...

    @app.post("/v1/upload")
    def upload(file: UploadFile, name: Annotated[str, Form()] = "x") -> dict[str, str]: ...

    @app.post("/v1/uploads")
    def uploads(files: list[UploadFile], raw: Annotated[bytes | None, File()] = None) -> list[str]: ...

    @app.post("/v1/form")
    def form(name: Annotated[str, Form()], age: Annotated[int, Form()] = 1) -> bool: ...

    @app.post("/v1/login")
    def login(credentials: Annotated[Credentials, Form()]) -> Envelope[Credentials]: ...

    # Parameters.

    @app.get("/v1/any")
    def any_(
        q: str | int | None = None,
        tags: Annotated[list[str], Query()] = [],
        since: datetime | None = None,
        ids: Annotated[list[int] | None, Query(max_length=5)] = None,
        levels: Annotated[list[Level] | None, Query()] = None,
        sets: Annotated[set[Color], Query()] = set(),
        old: Annotated[str | None, Query(deprecated=True, alias="old-name", description="Use `q`.")] = None,
    ): ...

    @app.get("/v1/filter")
    def filter_(f: Annotated[Filters, Query()]) -> int: ...

    @app.get("/v1/headers")
    def headers(h: Annotated[Headers, Header()], c: Annotated[Cookies, Cookie()]) -> Empty: ...

    @app.get("/v1/dated/{day}/{color}")
    def dated(day: date, color: Color, lvl: Level, lit: Literal["p", "q"] = "p") -> date: ...

    @app.get("/v1/files/{path:path}")
    def files(path: str, id: UUID | None = None, took: timedelta | None = None) -> list[FilePath]: ...

    @app.get("/v1/typed/{a}/{b}/{c}")
    def typed(
        a: float,
        b: bool,
        c: Literal["x", "y"],
        amount: Decimal = Decimal(1),
        email: EmailStr | None = None,
        union: Annotated[int | Literal["all"], Query()] = "all",
        code: Annotated[str, Query(min_length=2, max_length=4, pattern="^[a-z]+$")] = "ab",
        x_ids: Annotated[list[int] | None, Header()] = None,
        x_when: Annotated[datetime | None, Header()] = None,
    ) -> tuple[float, bool]: ...

    # Responses.

    @app.delete("/v1/pets/{pet_id}", status_code=204)
    def delete_pet(pet_id: int): ...

    @app.post("/v1/two", responses={202: {"model": Alpha}, 404: {"model": Beta}}, response_model=Beta)
    def two(a: Alpha): ...

    @app.post("/v1/same", responses={202: {"model": Beta}, "default": {"model": Problem}, "4XX": {"model": Problem}})
    def same(a: Alpha) -> Beta: ...

    @app.get("/v1/no-content", responses={204: {"description": "Nothing"}, 304: {"description": "Unchanged"}})
    def no_content() -> Beta: ...

    @app.get("/v1/text", response_class=PlainTextResponse)
    def text(): ...

    @app.get("/v1/stream", response_class=StreamingResponse)
    def stream(): ...

    @app.get("/v1/file", response_class=FileResponse)
    def file(): ...

    @app.get("/v1/image", responses={200: {"content": {"image/png": {}}}})
    def image() -> Alpha: ...

    @app.get("/v1/nothing")
    def nothing(response: Response) -> None: ...

    @app.get("/v1/include", response_model=Everything, response_model_exclude_unset=True)
    def include(): ...

    @app.get("/v1/bool", response_model=bool | Literal["maybe"])
    def boolean(): ...

    @app.get("/v1/numbers")
    def numbers() -> list[Level | Ratio]: ...

    @app.get("/v1/tree")
    def tree() -> Tree: ...

    @app.get("/v1/optional")
    def optional() -> Optional[Envelope[Optional[Alpha]]]: ...

    # Credentials.

    @app.get("/v1/secure", dependencies=[Depends(key)])
    def secure() -> None: ...

    @app.get("/v1/secure2", dependencies=[Depends(bearer), Depends(oauth)])
    def secure2() -> float: ...

    schemes = [
        APIKeyCookie(name="session", auto_error=False),
        APIKeyQuery(name="key", auto_error=False),
        HTTPBasic(auto_error=False),
        OpenIdConnect(openIdConnectUrl="https://example.com/.well-known/openid-configuration"),
    ]

    @app.get("/v1/secure3", dependencies=[Depends(scheme) for scheme in (schemes if version < 3 else schemes[1:])])
    def secure3() -> float: ...

    def scoped(scopes: SecurityScopes, token: Annotated[str | None, Depends(oauth)]): ...

    @app.get("/v1/scoped", dependencies=[Security(scoped, scopes=["a"] if version < 3 else ["b", "a"])])
    def scoped_() -> float: ...

    # Routers, tags, callbacks and webhooks.

    callbacks = APIRouter()

    @callbacks.post("{$request.body#/b}/done")
    def done(body: Event) -> None: ...

    router = APIRouter(prefix="/v1/routed", tags=["routed"], responses={404: {"model": Problem}})

    @router.post("/calls", callbacks=callbacks.routes, deprecated=version >= 2)
    def calls(b: Beta) -> Alpha: ...

    @router.api_route("/both", methods=["GET", "HEAD"] if version < 3 else ["GET"], tags=["both"], summary="Both methods")
    def both() -> Alpha:
        """Answers both methods.

        Args:
            none: Not needed.
        """

    @router.put("/named", operation_id="custom-name" if version < 3 else "custom.name", name="named")
    def named(a: Alpha) -> Alpha: ...

    @app.webhooks.post("happened")
    def happened(body: Event): ...

    if version >= 2:

        @router.get("/new")
        def new(limit: int = 10) -> Page[Derived]: ...

        @router.get("/new/{id}")
        def new_one(id: UUID) -> Envelope[Derived]: ...

    if version < 3:

        @router.get("/removed")
        def removed() -> Page[Pair[str, int]]: ...

    app.include_router(router)
    return app.openapi()


if __name__ == "__main__":
    for version in range(1, VERSIONS + 1):
        with open(FilePath(__file__).parent / f"v{version}.json", "w") as file:
            json.dump(document(version), file, indent=1)
            file.write("\n")

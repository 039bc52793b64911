"""Writes the OpenAPI document of an application that uses what FastAPI and pydantic offer.

    pip install fastapi==0.165.0 pydantic==2.14.4 python-multipart email-validator
    python app.py document.json

The document is committed, so that the tests need neither Python nor a network.
"""

import json, sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, Optional
from uuid import UUID
from fastapi import FastAPI, Query, Path, Header, Cookie, Body, File, Form, UploadFile, Depends, status
from fastapi.security import APIKeyHeader, HTTPBearer, OAuth2PasswordBearer
from pydantic import BaseModel, Field, RootModel, EmailStr, HttpUrl, ConfigDict, SecretStr

T = TypeVar("T")
class Color(str, Enum):
    red = "red"; green = "green"
class Level(IntEnum):
    low = 1; high = 2
class Cat(BaseModel):
    kind: Literal["cat"]; lives: Annotated[int, Field(ge=0, le=9)] = 9
class Dog(BaseModel):
    kind: Literal["dog"]; breed: str | int | None = None
class Fish(BaseModel):
    kind: Literal["fish", "shark"] = "fish"; sizes: list[str | int] | None = None
Pet = Annotated[Union[Cat, Dog, Fish], Field(discriminator="kind")]
class Node(BaseModel):
    name: str; children: list["Node"] = []; parent: Optional["Node"] = None
class Envelope(BaseModel, Generic[T]):
    code: int = 100; data: T | None = None; message: str | None = None
class Page(BaseModel, Generic[T]):
    count: int; next: str | None = None; previous: str | None = None; results: list[T]
class Alpha(BaseModel): a: int
class Beta(BaseModel): b: str; tags: set[str] = set()
class Tags(RootModel[list[str]]): pass
class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: UUID; when: datetime; day: date; at: time; took: timedelta; price: Decimal; ratio: Annotated[float, Field(gt=0, lt=1)]
    color: Color = Color.red; level: Level = Level.low; tags: Tags; meta: dict[str, Any] = {}; counts: dict[str, int] = {}
    nested: dict[str, list[Alpha | None]] = {}; pair: tuple[int, str] = (1, "a"); anything: Any = None; email: EmailStr; url: HttpUrl
    secret: SecretStr | None = None; lit: Literal[1, 2, 3] = 1; mixed: Literal["a", 1] = "a"; pet: Pet | None = None; ab: Alpha | Beta | None = None
    code: Annotated[str, Field(min_length=2, max_length=4, pattern="^[a-z]+$")] | None = None
    ids: list[UUID] | None = None; matrix: list[list[float]] = []; many: dict[str, Alpha | Beta] | None = None; flag: bool | None = None
    n: Annotated[int, Field(multiple_of=5)] | None = None; b64: bytes = b""; u: int | str = 1; un: float | bool | None = None
    opt_enum: Color | None = None; enum_list: list[Color] = []; lits: list[Literal["x", "y"]] = []; node: Node | None = None
class Patch(BaseModel):
    name: str | None = None; value: str | int | None = None; pets: list[Pet] | None = None; color: Color | None = None
    lit: Literal["a", "b"] | None = None; names: list[Annotated[str, Field(max_length=3)]] | None = None; obj: dict[str, int | str] | None = None
class Filters(BaseModel):
    limit: int = 10; q: str | None = None; colors: list[Color] = []
def make(without=()):
    app = FastAPI(title="Every", version="1")
    key = APIKeyHeader(name="X-Key"); bearer = HTTPBearer(); oauth = OAuth2PasswordBearer(tokenUrl="token", scopes={"a": "A", "b": "B"})
    @app.get("/v1/pets/{pet_id}", response_model=Pet)
    def get_pet(pet_id: Annotated[int, Path(ge=1)], color: Color | None = None, level: Level = Level.low, x_token: Annotated[str | None, Header()] = None, sid: Annotated[str | None, Cookie()] = None): ...
    @app.post("/v1/pets", status_code=201)
    def create_pet(pet: Pet) -> Envelope[Pet]: ...
    @app.get("/v1/any")
    def any_(q: str | int | None = None, tags: Annotated[list[str], Query()] = [], since: datetime | None = None, ids: Annotated[list[int] | None, Query(max_length=5)] = None): ...
    @app.get("/v1/union")
    def union() -> Alpha | Beta: ...
    @app.get("/v1/env-union")
    def env_union() -> Envelope[Alpha | Beta]: ...
    @app.get("/v1/env-list-union")
    def env_list_union() -> Envelope[list[Alpha | Beta]]: ...
    @app.get("/v1/env-str-int")
    def env_str_int() -> Envelope[str | int]: ...
    @app.get("/v1/env-lit")
    def env_lit() -> Envelope[Literal["a", "b"]]: ...
    @app.get("/v1/env-dict")
    def env_dict() -> Envelope[dict[str, Any]]: ...
    @app.get("/v1/env-tuple")
    def env_tuple() -> Envelope[tuple[int, str]]: ...
    @app.get("/v1/page-union")
    def page_union() -> Page[Alpha | Beta]: ...
    @app.get("/v1/page-lit")
    def page_lit() -> Envelope[Page[Literal["a", "b"]]]: ...
    @app.get("/v1/page-pet")
    def page_pet() -> Envelope[Page[Pet]]: ...
    @app.get("/v1/page-nullable")
    def page_nullable() -> Page[str | None]: ...
    @app.get("/v1/nodes")
    def nodes() -> list[Node]: ...
    @app.get("/v1/root")
    def root() -> Tags: ...
    @app.post("/v1/everything")
    def everything(e: Everything) -> Everything: ...
    @app.put("/v1/everything")
    def put_everything(e: Everything | None = None) -> list[Everything] | None: ...
    @app.patch("/v1/everything/{id}")
    def patch_everything(id: UUID, p: Patch) -> Envelope[Everything]: ...
    @app.post("/v1/two-bodies")
    def two_bodies(a: Alpha, b: Beta, n: Annotated[int, Body()]) -> str: ...
    @app.post("/v1/upload")
    def upload(file: UploadFile, name: Annotated[str, Form()] = "x") -> dict[str, str]: ...
    @app.post("/v1/form")
    def form(name: Annotated[str, Form()], age: Annotated[int, Form()] = 1) -> bool: ...
    @app.delete("/v1/pets/{pet_id}", status_code=204)
    def delete_pet(pet_id: int): ...
    @app.post("/v1/two", responses={202: {"model": Alpha}, 404: {"model": Beta}}, response_model=Beta)
    def two(a: Alpha): ...
    @app.get("/v1/filter")
    def filter_(f: Annotated[Filters, Query()]) -> int: ...
    @app.get("/v1/secure", dependencies=[Depends(key)])
    def secure() -> None: ...
    @app.get("/v1/secure2", dependencies=[Depends(bearer), Depends(oauth)])
    def secure2() -> float: ...
    @app.get("/v1/dated/{day}/{color}")
    def dated(day: date, color: Color, lvl: Level, lit: Literal["p", "q"] = "p") -> date: ...
    @app.post("/v1/list-body")
    def list_body(items: list[Alpha | Beta], x: Annotated[int | None, Query(gt=0, lt=10)] = None) -> dict[str, Alpha | Beta]: ...
    @app.post("/v1/str-body")
    def str_body(text: Annotated[str | int, Body()]) -> str | int | None: ...
    return app
json.dump(make().openapi(), open(sys.argv[1], "w"), indent=1)

from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusReply(_message.Message):
    __slots__ = ("name", "version", "draining", "manifest_sha256", "models", "waiting", "running", "disk_free_bytes", "memory_available_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_AVAILABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    draining: bool
    manifest_sha256: str
    models: _containers.RepeatedCompositeFieldContainer[Model]
    waiting: int
    running: int
    disk_free_bytes: int
    memory_available_bytes: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., draining: bool = ..., manifest_sha256: _Optional[str] = ..., models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., waiting: _Optional[int] = ..., running: _Optional[int] = ..., disk_free_bytes: _Optional[int] = ..., memory_available_bytes: _Optional[int] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "sha256", "bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    sha256: str
    bytes: int
    def __init__(self, name: _Optional[str] = ..., sha256: _Optional[str] = ..., bytes: _Optional[int] = ...) -> None: ...

class Queue(_message.Message):
    __slots__ = ("order", "limit", "full", "skip_late")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    FULL_FIELD_NUMBER: _ClassVar[int]
    SKIP_LATE_FIELD_NUMBER: _ClassVar[int]
    order: str
    limit: int
    full: str
    skip_late: bool
    def __init__(self, order: _Optional[str] = ..., limit: _Optional[int] = ..., full: _Optional[str] = ..., skip_late: bool = ...) -> None: ...

class OfferRequest(_message.Message):
    __slots__ = ("manifest", "signature", "models", "queue")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    manifest: bytes
    signature: bytes
    models: _containers.RepeatedCompositeFieldContainer[Model]
    queue: Queue
    def __init__(self, manifest: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., queue: _Optional[_Union[Queue, _Mapping]] = ...) -> None: ...

class OfferReply(_message.Message):
    __slots__ = ("manifest_sha256", "files", "active")
    class File(_message.Message):
        __slots__ = ("sha256", "have_bytes", "whole")
        SHA256_FIELD_NUMBER: _ClassVar[int]
        HAVE_BYTES_FIELD_NUMBER: _ClassVar[int]
        WHOLE_FIELD_NUMBER: _ClassVar[int]
        sha256: str
        have_bytes: int
        whole: bool
        def __init__(self, sha256: _Optional[str] = ..., have_bytes: _Optional[int] = ..., whole: bool = ...) -> None: ...
    MANIFEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    manifest_sha256: str
    files: _containers.RepeatedCompositeFieldContainer[OfferReply.File]
    active: bool
    def __init__(self, manifest_sha256: _Optional[str] = ..., files: _Optional[_Iterable[_Union[OfferReply.File, _Mapping]]] = ..., active: bool = ...) -> None: ...

class UploadHeader(_message.Message):
    __slots__ = ("sha256", "bytes", "offset")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    bytes: int
    offset: int
    def __init__(self, sha256: _Optional[str] = ..., bytes: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class UploadRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: UploadHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[UploadHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class UploadReply(_message.Message):
    __slots__ = ("received_bytes",)
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    received_bytes: int
    def __init__(self, received_bytes: _Optional[int] = ...) -> None: ...

class ActivateRequest(_message.Message):
    __slots__ = ("manifest_sha256", "models", "queue")
    MANIFEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    manifest_sha256: str
    models: _containers.RepeatedScalarFieldContainer[str]
    queue: Queue
    def __init__(self, manifest_sha256: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., queue: _Optional[_Union[Queue, _Mapping]] = ...) -> None: ...

class ActivateReply(_message.Message):
    __slots__ = ("models",)
    class Loaded(_message.Message):
        __slots__ = ("name", "load_s", "warm_up_s", "inference_s")
        NAME_FIELD_NUMBER: _ClassVar[int]
        LOAD_S_FIELD_NUMBER: _ClassVar[int]
        WARM_UP_S_FIELD_NUMBER: _ClassVar[int]
        INFERENCE_S_FIELD_NUMBER: _ClassVar[int]
        name: str
        load_s: float
        warm_up_s: float
        inference_s: float
        def __init__(self, name: _Optional[str] = ..., load_s: _Optional[float] = ..., warm_up_s: _Optional[float] = ..., inference_s: _Optional[float] = ...) -> None: ...
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[ActivateReply.Loaded]
    def __init__(self, models: _Optional[_Iterable[_Union[ActivateReply.Loaded, _Mapping]]] = ...) -> None: ...

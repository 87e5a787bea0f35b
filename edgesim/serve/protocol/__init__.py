"""Messages of the two services, generated from the .proto files beside this one.

``*_pb2.py`` and ``*_pb2.pyi`` are generated; after a change of a ``.proto`` file::

    pip install grpcio-tools==1.76.0
    python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. edgesim/serve/protocol/*.proto

The generator is older than the library on purpose: what it writes runs with protobuf 6 and 7.
"""

"""Messages that a run carried without using what came of them."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from edgesim.serve.protocol import open_inference_pb2 as wire


@dataclass(slots=True)
class Vain:
    """Bytes of tries that failed, and of second questions whose answer was not the first.

    A question that ended UNAVAILABLE is not counted: mostly there was no connection to send it on.
    Of an answer that was withdrawn while it came, nobody knows how much had come.

    Attributes:
        sent_bytes: of questions.
        received_bytes: of answers.
    """

    sent_bytes: int = 0
    received_bytes: int = 0

    def asked(self, request: wire.ModelInferRequest) -> None:
        """Count a question that was withdrawn."""
        self.sent_bytes += request.ByteSize()

    def failed(self, request: wire.ModelInferRequest, code: grpc.StatusCode) -> None:
        """Count a question that failed."""
        if code is not grpc.StatusCode.UNAVAILABLE:
            self.asked(request)

    def answered(self, request: wire.ModelInferRequest, reply: wire.ModelInferResponse) -> None:
        """Count a question whose answer came with another one, and its answer."""
        self.asked(request)
        self.received_bytes += reply.ByteSize()

"""The same model by onnxruntime behind FastAPI and uvicorn, as compare.py starts it:

    python fastapi_server.py MODEL.onnx WORKERS

Written for speed: uvloop, httptools, orjson, no validation by pydantic, no access log, one thread per
session. Prints `ready http://...` once it answers.
"""

import os
import socket
import sys
import threading
import time
import urllib.request

import numpy as np
import onnxruntime
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response


def make_app():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(os.environ["MODEL"], options,
                                           providers=["CPUExecutionProvider"])
    app = FastAPI()

    @app.post("/v2/models/m/infer")
    async def infer(request: Request):
        asked = orjson.loads(await request.body())["inputs"][0]
        values = np.array(asked["data"], dtype=np.float32).reshape(asked["shape"])
        labels, shares = session.run(["label", "probabilities"], {"X": values})
        answer = {"model_name": "m", "model_version": "1", "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [len(labels)],
             "data": [str(label) for label in labels]},
            {"name": "probabilities", "datatype": "FP32", "shape": list(shares.shape),
             "data": shares.ravel()}]}
        return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY),
                        media_type="application/json")

    @app.get("/ready")
    async def ready():
        return Response(b"{}", media_type="application/json")
    return app


def main():
    os.environ["MODEL"] = sys.argv[1]
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    url = f"http://127.0.0.1:{port}"

    def say_ready():
        while True:
            try:
                urllib.request.urlopen(url + "/ready", timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        print(f"ready {url}", flush=True)
    threading.Thread(target=say_ready, daemon=True).start()
    uvicorn.run("fastapi_server:make_app", factory=True, host="127.0.0.1", port=port, loop="uvloop",
                http="httptools", workers=int(sys.argv[2]), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()

"""Put the browser runtime of ONNX, and its licenses, among the files of the package.

    npm pack onnxruntime-web@1.24.3 && tar xzf onnxruntime-web-1.24.3.tgz      # package/
    pip download --no-deps onnxruntime==1.24.3 && unzip onnxruntime-1.24.3-*.whl  # onnxruntime/
    python scripts/vendor_onnxruntime_web.py package onnxruntime

The JavaScript is copied as it is; the WebAssembly and the notices of the software in it are
compressed (gzip without a date, so that the bytes are the same each time). The license and the
notices are those of the Python package of the same version: the npm package has none.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parents[1] / "src" / "orthogan" / "assets" / "onnxruntime-web"
SCRIPT, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
LICENSE, NOTICES = "LICENSE", "ThirdPartyNotices.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("npm", type=Path, help="the unpacked npm package onnxruntime-web")
    parser.add_argument("python", type=Path, help="the unpacked Python package onnxruntime")
    asked = parser.parse_args()
    about = json.loads((asked.npm / "package.json").read_text("utf-8"))
    binary = (asked.npm / "dist" / BINARY).read_bytes()
    made = {
        SCRIPT: (asked.npm / "dist" / SCRIPT).read_bytes(),
        f"{BINARY}.gz": gzip.compress(binary, 9, mtime=0),
        LICENSE: (asked.python / LICENSE).read_bytes().replace(b"\r\n", b"\n"),
        f"{NOTICES}.gz": gzip.compress((asked.python / NOTICES).read_bytes(), 9, mtime=0),
    }
    HERE.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (HERE / name).write_bytes(content)
    card = {
        "name": about["name"],
        "version": about["version"],
        "license": about["license"],
        "source": f"npm {about['name']}@{about['version']}, pip onnxruntime=={about['version']}",
        "command": "python scripts/vendor_onnxruntime_web.py package onnxruntime",
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
        | {BINARY: hashlib.sha256(binary).hexdigest()},
    }
    (HERE / "card.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()

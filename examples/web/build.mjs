/** Put the page together, with everything that it needs, for `sknote export --web` to copy. */
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";

const here = import.meta.dirname;
const root = path.join(here, "../..");
const target = path.resolve(process.argv[2] ?? path.join(root, "sknote/deploy/page"));
const runtime = path.join(here, "node_modules/onnxruntime-web");

fs.rmSync(target, { recursive: true, force: true });
fs.cpSync(path.join(here, "page"), target, { recursive: true });
const vendor = path.join(target, "vendor");
fs.mkdirSync(vendor);
fs.copyFileSync(
  path.join(runtime, "dist/ort.wasm.bundle.min.mjs"),
  path.join(vendor, "onnxruntime.js"), // not all servers know .mjs
);
const wasm = fs.readFileSync(path.join(runtime, "dist/ort-wasm-simd-threaded.wasm"));
fs.writeFileSync(path.join(vendor, "onnxruntime.wasm.gz"), zlib.gzipSync(wasm, { level: 9 }));
const { version, license } = JSON.parse(fs.readFileSync(path.join(runtime, "package.json")));
fs.writeFileSync(
  path.join(vendor, "README.txt"),
  `onnxruntime-web ${version}, license ${license}, by Microsoft\n`,
);
fs.copyFileSync(
  path.join(root, "sknote/audio/segmentation/weights.safetensors"),
  path.join(target, "segmenter.safetensors"),
);
console.log(`wrote ${target}`);

// Preloaded by each Node that the engine starts (see index.ts): what Pulumi's SDK loads at its start and this project does not
// use is loaded when something of it is asked for (docs/decisions/0040-what-the-sdk-loads.md).
const Module = require("node:module");

const late = new Set(["./automation", "@npmcli/arborist", "normalize-package-data", "typescript"]);
const load = Module._load;

Module._load = function (request, parent, isMain) {
  if (!late.has(request) || !/[\\/]@pulumi[\\/]pulumi[\\/]/.test(parent?.filename ?? "")) {
    return load(request, parent, isMain);
  }
  // The SDK asks each module at once whether it is one of ECMAScript's, and of one that is takes the default export.
  const member = (name) => {
    const loaded = load(request, parent, isMain);
    return name === "default" ? (loaded.default ?? loaded) : loaded[name];
  };
  return new Proxy({}, { get: (_, name) => name === "__esModule" || member(name) });
};
